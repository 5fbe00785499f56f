"""Sweeps as typed: on this machine, and on a Slurm, where their tasks die."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from hpc_dl.sweep import folder
from hpc_dl.sweep.folder import SweepDir
from tests.support import empty_store, typed
from tests.support.cluster import Cluster
from tests.support.waiting import wait_until

JOB = """\
name: toy
model: {name: ffnn, hidden: [16]}
data: {name: digits, batch_size: 200}
train: {epochs: 2, log_every: 5}
resources: {cpus_per_task: 1, time: 00:10:00}
sweep: {parameters: {train.optimizer.lr: [1e-2, 1e-3]}, concurrent: 2}
"""


class Typed:
    """Commands in a folder of runs of their own."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        self.environment = {**environment, **typed.settings(root)}
        (root / "runs").mkdir()
        empty_store.put(root / "runs")
        (root / "job.yaml").write_text(JOB)

    def hpcdl(self, *words: str, code: int = 0) -> dict[str, Any]:
        command = [sys.executable, "-m", "hpc_dl", *words, "--json"]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == code, done.stderr
        return dict(json.loads(done.stdout or "{}"), errors=done.stderr)

    def submit(self, *words: str) -> SweepDir:
        found = self.hpcdl("submit", str(self.root / "job.yaml"), "--sweep", *words)
        return SweepDir(Path(found["path"]))

    def status(self) -> dict[str, int]:
        counts: dict[str, int] = self.hpcdl("sweep", "status", "toy")["counts"]
        return counts

    def wait_for(self, **counts: int) -> None:
        wait_until(lambda: self.status() == counts, 180, 1, f"the sweep has not {counts}")


def processes(sweep: SweepDir, module: str) -> list[psutil.Process]:
    """Return the processes of a sweep that run a module."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if module in words and any(str(sweep.path) in it for it in words):
            found.append(process)
    return found


def test_a_local_sweep_trains_every_trial_once_and_is_not_started_again(tmp_path: Path) -> None:
    here = Typed(tmp_path, dict(os.environ))
    sweep = here.submit("--local")
    here.wait_for(completed=2)
    assert [it.state for it in folder.read_results(sweep).values()] == ["completed"] * 2
    values = {
        run.spec.read_text().partition("lr: ")[2].split()[0] for run in (sweep.run(1), sweep.run(2))
    }
    assert values == {"0.01", "0.001"}
    again = here.submit("--local")
    assert again == sweep
    assert len(list(sweep.arrays.iterdir())) == 1


def test_the_trials_of_killed_tasks_are_finished_once(cluster: Cluster, tmp_path: Path) -> None:
    """One task loses its driver, which Slurm then starts again; the other is cancelled, and a task
    of the resumed sweep goes on with its trial."""
    here = Typed(tmp_path, cluster.env)
    sweep = here.submit("train.epochs=40")
    wait_until(lambda: len(processes(sweep, "hpc_dl.worker")) >= 2, 120, message="no two trials")
    (array,) = folder.arrays(sweep)
    first = next(it for it in processes(sweep, "hpc_dl.cli.sweeps.task"))
    task = first.environ()["SLURM_ARRAY_TASK_ID"]
    other = "2" if task == "1" else "1"
    first.send_signal(signal.SIGKILL)
    cluster.run("scancel", f"{array.job_id}_{other}")
    cluster.haste(f"{array.job_id}_{task}")
    wait_until(lambda: here.status().get("completed", 0) >= 1, 180, 1, "none is completed")
    if here.status() != {"completed": 2}:
        wait_until(
            lambda: not cluster.run("squeue", "-h", f"--jobs={array.job_id}"), 120, 1, "tasks left"
        )
        if here.status() != {"completed": 2}:
            here.hpcdl("sweep", "resume", "toy")
    here.wait_for(completed=2)
    steps = {it.unit: it.step for it in folder.read_results(sweep).values()}
    assert set(steps.values()) == {max(steps.values())}
    assert max(folder.claims(sweep).values()) > 1


@pytest.mark.nightly
def test_a_cancelled_sweep_goes_on_where_it_was(cluster: Cluster, tmp_path: Path) -> None:
    here = Typed(tmp_path, cluster.env)
    sweep = here.submit("train.epochs=200")
    wait_until(lambda: len(processes(sweep, "hpc_dl.worker")) >= 2, 120, message="no two trials")
    here.hpcdl("sweep", "cancel", "toy")
    assert not processes(sweep, "hpc_dl.worker")
    here.hpcdl("sweep", "resume", "toy")
    here.wait_for(completed=2)


@pytest.mark.nightly
def test_trainings_that_share_a_job_have_logs_and_exit_codes_of_their_own(
    cluster: Cluster, tmp_path: Path
) -> None:
    here = Typed(tmp_path, cluster.env)
    sweep = here.submit("sweep.trials_per_gpu=2")
    here.wait_for(completed=2)
    (array,) = folder.arrays(sweep)
    for number in (1, 2):
        logs = [it.name for it in sweep.run(number).logs.glob(f"{array.job_id}_*-0.log")]
        assert logs == [f"{array.job_id}_1-0.log"]
