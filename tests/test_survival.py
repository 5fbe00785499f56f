"""On a real Slurm: whatever ends an attempt, the run goes on by itself, to the same bits."""

import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from hpc_dl import jobs, journal
from hpc_dl.jobs import Status
from hpc_dl.plan import Plan
from hpc_dl.rundir import RunDir, read_json, write_json
from hpc_dl.submit import slurm
from tests import ranks
from tests.cluster import Cluster
from tests.own_models import own_models
from tests.running import final_state, history
from tests.slurm_runs import job_of, new_slurm_run, wait_for
from tests.waiting import wait_until

TRAIN = {"epochs": 12, "log_every": 4, "micro_batch": 50}
SAVED = 40
"""At this step the trouble comes; 144 steps take about four seconds."""


@pytest.fixture(autouse=True)
def on_the_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", cluster.env["SLURM_CONF"])


def job(root: Path, **resources: Any) -> tuple[RunDir, Plan]:
    base = own_models(root / "base")
    asked = {"tasks_per_node": 1, "cpus_per_task": 1, **resources}
    return new_slurm_run(
        root / "runs",
        base,
        model={"name": "own.py:Slow", "dropout": 0.2},
        train=TRAIN,
        checkpoint={"every": "10 steps"},
        resources=asked,
    )


def submitted(root: Path, **resources: Any) -> RunDir:
    """A run that has come so far that there are checkpoints to go on from."""
    run, plan = job(root, **resources)
    slurm.submit(run, plan)
    ranks.wait_for_step(run, SAVED)
    return run


def goes_on(cluster: Cluster, run: RunDir, root: Path, *, haste: bool = True) -> Status:
    """Wait for the second attempt and the end; compare with a run that nobody disturbed."""
    if haste:
        cluster.haste(job_of(run))
    wait_for(run, "completed", seconds=150)
    size = Plan.from_json(read_json(run.plan)).world_size
    calm, _ = job(root / "calm", tasks_per_node=size)
    ranks.train(calm)
    starts = [entry.event["step"] for entry in journal.read(run.journal, kinds=("started",))]
    assert len(starts) == 2
    assert starts[1] > 0, "it went on from a checkpoint"
    assert final_state(run) == final_state(calm)
    assert history(run) == history(calm)
    return jobs.status(run)


def why(run: RunDir) -> list[str]:
    """The reasons that were journalled for starting again."""
    states = [entry.event for entry in journal.read(run.journal, kinds=("state",))]
    return [event["reason"] for event in states if event["state"] == "requeued"]


def processes(run: RunDir) -> dict[int, psutil.Process]:
    """The run's ranks, wherever on the cluster: its nodes' processes are this machine's."""
    found = {}
    for process in psutil.process_iter():
        try:
            if f"{run.path}/submitit" in process.cmdline():
                environment = process.environ()
                if "SLURM_PROCID" in environment and "srun" not in process.name():
                    found[int(environment["SLURM_PROCID"])] = process
        except psutil.Error:
            continue
    return found


def test_kill_9_of_one_of_two_ranks(cluster: Cluster, tmp_path: Path) -> None:
    run = submitted(tmp_path, tasks_per_node=2)
    processes(run)[1].send_signal(signal.SIGKILL)
    goes_on(cluster, run, tmp_path)
    assert any("gone without a word" in reason or "killed" in reason for reason in why(run))


def test_kill_9_of_the_only_rank(cluster: Cluster, tmp_path: Path) -> None:
    run = submitted(tmp_path)
    processes(run)[0].send_signal(signal.SIGKILL)
    goes_on(cluster, run, tmp_path)
    assert why(run) == ["a rank was killed (signal 9)"]


def test_sigterm_of_a_rank(cluster: Cluster, tmp_path: Path) -> None:
    run = submitted(tmp_path)
    processes(run)[0].send_signal(signal.SIGTERM)
    goes_on(cluster, run, tmp_path)
    assert why(run) == ["terminated by a signal"]


def test_the_time_limits_signal_to_one_of_four_ranks_on_two_nodes(
    cluster: Cluster, tmp_path: Path
) -> None:
    run = submitted(tmp_path, nodes=2, tasks_per_node=2)
    processes(run)[3].send_signal(signal.SIGUSR2)
    goes_on(cluster, run, tmp_path)
    assert len(why(run)) == 1
    assert "the time limit is near" in why(run)[0]


def test_scontrol_requeue(cluster: Cluster, tmp_path: Path) -> None:
    run = submitted(tmp_path)
    cluster.run("scontrol", "requeue", job_of(run))
    goes_on(cluster, run, tmp_path)


def test_a_node_loses_its_power(
    cluster: Cluster, fragile_nodes: tuple[str, ...], tmp_path: Path
) -> None:
    run = submitted(tmp_path, partition="fragile")
    cluster.kill_node(jobs.status(run).where)
    goes_on(cluster, run, tmp_path)


def test_an_administrator_takes_a_node_down(
    cluster: Cluster, fragile_nodes: tuple[str, ...], tmp_path: Path
) -> None:
    run = submitted(tmp_path, partition="fragile")
    node = f"nodename={jobs.status(run).where}"
    cluster.run("scontrol", "update", node, "state=down", "reason=test")
    try:
        goes_on(cluster, run, tmp_path)
    finally:
        cluster.run("scontrol", "update", node, "state=resume")


def test_where_requeues_are_forbidden_another_job_follows(cluster: Cluster, tmp_path: Path) -> None:
    run, plan = job(tmp_path)
    sbatch = {name: value for name, value in plan.sbatch.items() if name != "requeue"}
    plan = Plan.from_json(
        {**plan.to_json(), "sbatch": {**sbatch, "no-requeue": True}, "follow_up": True}
    )
    write_json(run.plan, plan.to_json())
    first = slurm.submit(run, plan).job_id
    ranks.wait_for_step(run, SAVED)
    processes(run)[0].send_signal(signal.SIGUSR2)
    goes_on(cluster, run, tmp_path, haste=False)
    assert job_of(run) != first
    assert len(why(run)) == 1


# ---- but not for ever


def test_a_run_that_makes_no_progress_is_not_started_for_ever(
    cluster: Cluster, tmp_path: Path
) -> None:
    run, plan = job(tmp_path)
    slurm.submit(run, plan)
    wait_until(lambda: len(starts(run)) == 1, 60, message="no start")
    processes(run)[0].send_signal(signal.SIGKILL)
    cluster.haste(job_of(run))
    wait_until(lambda: len(starts(run)) == 2, 60, message="no start")
    processes(run)[0].send_signal(signal.SIGKILL)
    wait_until(lambda: jobs.status(run).state == "failed", 60, message="it goes on and on")
    assert "no progress between two requeues" in jobs.status(run).reason


def starts(run: RunDir) -> list[dict[str, Any]]:
    return [entry.event for entry in journal.read(run.journal, kinds=("started",))]
