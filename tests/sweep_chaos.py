"""Sweeps on a real Slurm that meet trouble, and have to end with the table of undisturbed ones.

`python -m tests.sweep_chaos` trains a grid of 24, a random sweep of 30 and an ASHA of 27 trials
twice each: once in peace, and once while ranks and tasks are killed, cancelled and requeued, a node
loses its power, and the controller is silent for a while. Every trial has to be finished once, and
values, metrics and states have to be the same. `--sweeps grid` chooses some, a seed the moments.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from hpc_dl.sweep import folder
from hpc_dl.sweep.folder import SweepDir
from tests.support.cluster import Cluster
from tests.support.own_models import own_models
from tests.support.waiting import wait_until

JOB = """\
name: {name}
model: {{name: 'own.py:Slow', pace: 0.05}}
data: {{name: digits, batch_size: 100}}
train: {{epochs: {epochs}, log_every: 4}}
checkpoint: {{every: 5 steps}}
resources: {{cpus_per_task: 1, time: 00:10:00, partition: fragile, max_requeues: 20}}
tracking: {{experiment: chaos}}
sweep: {sweep}
"""
SPACE = "{train.optimizer.lr: {log_uniform: [1e-4, 1e-1]}, train.clip_norm: [0.5, 1, 2]}"
SWEEPS = {
    "grid": (
        6,
        "{parameters: {train.optimizer.lr: [1e-3, 3e-3, 1e-2, 3e-2], train.clip_norm: [1, 2], "
        "train.seed: [0, 1, 2]}, concurrent: 4}",
    ),
    "random": (6, f"{{parameters: {SPACE}, method: random, trials: 30, concurrent: 4}}"),
    "asha": (9, f"{{parameters: {SPACE}, method: asha, trials: 27, concurrent: 4}}"),
}
"""By name: the epochs, and the section `sweep`."""
SECONDS = 3600


class Scene:
    """A sweep that is troubled, and the cluster that it is on."""

    def __init__(self, cluster: Cluster, sweep: SweepDir, seed: int) -> None:
        self.cluster, self.sweep, self.random = cluster, sweep, random.Random(seed)
        self.troubles: Counter[str] = Counter()

    def processes(self, module: str) -> list[psutil.Process]:
        """Return the processes of the sweep that run a module; all nodes are on this machine."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                mine = any(str(self.sweep.path) in word for word in words)
                if module in words and mine and "srun" not in process.name():
                    found.append(process)
        return found

    def tasks(self) -> list[str]:
        """Return the running tasks of the sweep's arrays."""
        ids = ",".join(it.job_id for it in folder.arrays(self.sweep))
        return self.cluster.run(
            "squeue", "-h", "-r", "-t", "R", f"--jobs={ids}", "-o", "%i"
        ).split()


def rank_killed(scene: Scene) -> None:
    if found := scene.processes("hpc_dl.worker"):
        scene.random.choice(found).kill()


def driver_killed(scene: Scene) -> None:
    if found := scene.processes("hpc_dl.cli.sweeps.task"):
        scene.random.choice(found).kill()


def task_cancelled(scene: Scene) -> None:
    if found := scene.tasks():
        scene.cluster.run("scancel", scene.random.choice(found))


def task_requeued(scene: Scene) -> None:
    if found := scene.tasks():
        task = scene.random.choice(found)
        scene.cluster.run("scontrol", "requeue", task)
        with contextlib.suppress(AssertionError):
            scene.cluster.haste(task)


def time_limit_announced(scene: Scene) -> None:
    if found := scene.processes("hpc_dl.worker"):
        scene.random.choice(found).send_signal(signal.SIGUSR2)


def node_without_power(scene: Scene) -> None:
    node = scene.random.choice(["n5", "n6"])
    scene.cluster.kill_node(node)
    scene.cluster.run("scontrol", "update", f"nodename={node}", "state=down", "reason=chaos")
    scene.cluster.start_node(node)


def controller_silent(scene: Scene) -> None:
    pids = [it for it in psutil.process_iter() if it.name() == "slurmctld"]
    ours = [it for it in pids if str(scene.cluster.folder) in " ".join(it.cmdline())]
    for process in ours:
        process.suspend()
    time.sleep(scene.random.uniform(5, 20))  # how long it is silent is the trouble
    for process in ours:
        process.resume()


TROUBLES: list[Callable[[Scene], None]] = [
    rank_killed,
    driver_killed,
    task_cancelled,
    task_requeued,
    time_limit_announced,
    node_without_power,
    controller_silent,
]


def hpcdl(cluster: Cluster, root: Path, *words: str) -> dict[str, Any]:
    """Run `hpcdl WORDS --json`, and return what it prints."""
    environment = {**cluster.env, "HPCDL_RUN_ROOT": str(root)}
    done = subprocess.run(
        [sys.executable, "-m", "hpc_dl", *words, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def submit(cluster: Cluster, root: Path, kind: str, name: str) -> SweepDir:
    epochs, section = SWEEPS[kind]
    own_models(root)
    job = root / f"{name}.yaml"
    job.write_text(JOB.format(name=name, epochs=epochs, sweep=section))
    return SweepDir(Path(hpcdl(cluster, root, "submit", str(job), "--sweep")["path"]))


def is_over(cluster: Cluster, sweep: SweepDir) -> bool:
    """Return whether nothing of a sweep is left; what lost its last task is resumed."""
    try:
        found = hpcdl(cluster, sweep.root, "sweep", "status", sweep.id)
    except AssertionError:
        return False
    states = Counter(found["counts"])
    if not sum(states[it] for it in ("waiting", "promoted", "running", "lost")):
        return True
    with contextlib.suppress(AssertionError):  # the controller is silent, or tasks are at work
        hpcdl(cluster, sweep.root, "sweep", "resume", sweep.id)
    return False


def table(sweep: SweepDir) -> dict[str, Any]:
    """Return what may not depend on any trouble: of every unit, its state and its metrics."""
    return {
        f"{unit.trial}-{unit.rung}": (it.state, it.step, it.value, it.metrics)
        for unit, it in folder.read_results(sweep).items()
    }


def trouble(scene: Scene, over: threading.Event, pause: float) -> None:
    """Make trouble until the sweep is over."""
    while not over.wait(scene.random.uniform(pause / 2, pause * 1.5)):
        chosen = scene.random.choice(TROUBLES)
        try:
            chosen(scene)
            scene.troubles[chosen.__name__] += 1
        except (psutil.Error, AssertionError, subprocess.SubprocessError) as error:
            sys.stderr.write(f"{chosen.__name__}: {str(error)[:200]}\n")


def perform(cluster: Cluster, root: Path, kind: str, seed: int, pause: float) -> list[str]:
    """Train a sweep in peace and in trouble; return what differs."""
    began = time.monotonic()
    calm = submit(cluster, root, kind, f"{kind}-calm")
    wait_until(lambda: is_over(cluster, calm), SECONDS, 2, f"{calm.id} is not over")
    halfway = time.monotonic()
    troubled = submit(cluster, root, kind, f"{kind}-troubled")
    scene, over = Scene(cluster, troubled, seed), threading.Event()
    maker = threading.Thread(target=trouble, args=(scene, over, pause))
    maker.start()
    try:
        wait_until(lambda: is_over(cluster, troubled), SECONDS, 2, f"{troubled.id} is not over")
    finally:
        over.set()
        maker.join()
    ended = time.monotonic()
    wanted, found = table(calm), table(troubled)
    faults = [
        f"{kind} {key}: {found.get(key)} in place of {wanted.get(key)}"
        for key in sorted(wanted.keys() | found.keys())
        if wanted.get(key) != found.get(key)
    ]
    claims = folder.claims(troubled)
    sys.stdout.write(
        f"{kind}: {len(wanted)} units of {len(folder.read_trials(calm))} trials, "
        f"{halfway - began:.0f} s in peace, {ended - halfway:.0f} s in trouble "
        f"({', '.join(f'{n} {it}' for it, n in sorted(scene.troubles.items()))}; "
        f"{sum(number > 1 for number in claims.values())} units taken over): "
        f"{'the same table' if not faults else f'{len(faults)} differ'}\n"
    )
    sys.stdout.flush()
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sweeps", nargs="*", default=list(SWEEPS), choices=list(SWEEPS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pause", type=float, default=8.0, help="seconds between two troubles")
    parser.add_argument("--folder", type=Path, help="where the runs go")
    args = parser.parse_args()
    cluster = Cluster(Path(os.environ["HPCDL_CLUSTER_DIR"]))
    root = args.folder or Path(tempfile.mkdtemp(prefix="hpcdl-sweep-chaos-"))
    root.mkdir(parents=True, exist_ok=True)
    faults = [
        fault
        for kind in args.sweeps
        for fault in perform(cluster, root, kind, args.seed, args.pause)
    ]
    sys.stdout.write("".join(f"{fault}\n" for fault in faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
