"""Runs on a real Slurm that meet trouble at a random moment, and have to end as if undisturbed.

`python -m tests.slurm_chaos --runs 50` submits runs with `hpcdl`, troubles each in one of the ways
in CASES, and checks that none is lost (it completes, in one folder), doubled (its steps are trained
by one job at a time) or misnamed (every state and reason is the true one), and that it ends with
the bits of a run that nobody disturbed. `make chaos-slurm` runs it; a seed picks the moments.
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hpc_dl.jobspec.load import load
from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir
from tests.support import ranks
from tests.support.cluster import Cluster
from tests.support.own_models import own_models
from tests.support.running import final_state, history, prepared
from tests.support.slurm_runs import job_of, rank_processes
from tests.support.waiting import wait_until

JOB = """\
name: {name}
model: {{name: 'own.py:Slow', pace: {pace}}}
data: {{name: digits}}
train: {{epochs: 12, log_every: 4, micro_batch: 50}}
checkpoint: {{every: 10 steps}}
resources: {{tasks_per_node: {size}, cpus_per_task: 1, time: 00:10:00, partition: {partition}}}
tracking: {{experiment: chaos}}
"""
STEPS = 144
SECONDS = 300
"""A run takes five seconds undisturbed; requeues are hastened."""


@dataclass
class Scene:
    """One run, the cluster that it is on, and what is random about it."""

    cluster: Cluster
    folder: Path
    name: str
    size: int
    partition: str
    rng: random.Random
    shims: list[Path] = field(default_factory=list)
    """Folders that come first on PATH: a Slurm command that misbehaves."""

    @cached_property
    def run(self) -> RunDir:
        """The run folder, once it was submitted."""
        return RunDir(self.folder / "runs" / f"{self.name}-1")

    @property
    def job(self) -> str:
        return job_of(self.run)

    def hpcdl(self, *words: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """`hpcdl WORDS`, as typed on the login node."""
        command = [*prefix, sys.executable, "-m", "hpc_dl", *words]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=180, check=False
        )

    def submit(self, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        return self.hpcdl("submit", str(self.spec), "--json", prefix=prefix)

    def status(self, prefix: tuple[str, ...] = ()) -> dict[str, Any]:
        found = self.hpcdl("status", self.run.id, "--json", prefix=prefix)
        assert found.returncode in (0, 1, 3), found.stderr
        status: dict[str, Any] = json.loads(found.stdout)
        return status

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([*map(str, self.shims), os.environ["PATH"]])
        roots = {"HPCDL_RUN_ROOT": str(self.folder / "runs"), "HPCDL_SITE": "test-cluster"}
        caches = {
            "XDG_CACHE_HOME": str(self.folder / self.name),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
        }
        return {**self.cluster.env, **roots, **caches, "PATH": path}

    @property
    def spec(self) -> Path:
        return self.folder / f"{self.name}.yaml"

    def write_spec(self, pace: float) -> None:
        self.spec.write_text(
            JOB.format(name=self.name, pace=pace, size=self.size, partition=self.partition)
        )

    def shim(self, command: str, text: str) -> None:
        """Put a shell script in the place of one of Slurm's commands, which it calls $REAL."""
        found = self.cluster.run("sh", "-c", f"command -v {command}")
        folder = self.folder / f"shim-{self.name}"
        folder.mkdir()
        (folder / command).write_text(f"#!/bin/sh\nREAL={found}\n{text}\n")
        (folder / command).chmod(0o755)
        self.shims = [folder]

    def train_for_a_while(self) -> None:
        """Submit, and wait until a random step is trained."""
        done = self.submit()
        assert done.returncode == 0, done.stderr
        ranks.wait_for_step(self.run, self.rng.randrange(4, STEPS - 40))

    def strike(self, number: signal.Signals) -> None:
        """Send a signal to a random rank."""
        found = rank_processes(self.run)
        self.rng.choice(list(found.values())).send_signal(number)


# ---- troubles: each leaves the run to go on by itself


def rank_killed(scene: Scene) -> None:
    scene.train_for_a_while()
    scene.strike(signal.SIGKILL)


def rank_terminated(scene: Scene) -> None:
    scene.train_for_a_while()
    scene.strike(signal.SIGTERM)


def time_limit_announced(scene: Scene) -> None:
    scene.train_for_a_while()
    scene.strike(signal.SIGUSR2)


def requeued(scene: Scene) -> None:
    scene.train_for_a_while()
    scene.cluster.run("scontrol", "requeue", scene.job)


def suspended(scene: Scene) -> None:
    scene.train_for_a_while()
    scene.cluster.run("scontrol", "suspend", scene.job)
    assert scene.status()["state"] == "running"
    assert scene.submit().returncode == 2, "a second job while the first is suspended"
    scene.cluster.run("scontrol", "resume", scene.job)


def node_without_power(scene: Scene) -> None:
    scene.train_for_a_while()
    scene.cluster.kill_node(scene.status()["where"])


def node_taken_down(scene: Scene) -> None:
    scene.train_for_a_while()
    node = f"nodename={scene.status()['where']}"
    scene.cluster.run("scontrol", "update", node, "state=down", "reason=chaos")


def preempted(scene: Scene) -> None:
    scene.train_for_a_while()
    high = ("srun", "--partition=high", "--nodes=2", "--exclusive", "--job-name=high", "true")
    scene.cluster.run(*high, timeout=120)


def held_in_the_queue(scene: Scene) -> None:
    scene.shim("sbatch", 'exec $REAL --hold "$@"')
    assert scene.submit().returncode == 0
    assert scene.status()["state"] == "queued"
    assert scene.submit().returncode == 2, "a second job while the first is held"
    scene.cluster.run("scontrol", "release", scene.job)


def answer_lost(scene: Scene) -> None:
    lost = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
    scene.shim("sbatch", f'$REAL "$@" >/dev/null; echo "{lost}" >&2; exit 1')
    scene.submit()
    scene.shims = []
    scene.status()


def submission_killed(scene: Scene) -> None:
    """`hpcdl submit` dies at a random moment, and is typed again."""
    command = [sys.executable, "-m", "hpc_dl", "submit", str(scene.spec)]
    with subprocess.Popen(command, env=scene.environment, stderr=subprocess.DEVNULL) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(scene.rng.uniform(0.1, 2.5))
        process.kill()
    scene.submit()


def submitted_twice_at_once(scene: Scene) -> None:
    command = [sys.executable, "-m", "hpc_dl", "submit", str(scene.spec)]
    both = [subprocess.Popen(command, env=scene.environment) for _ in range(2)]
    for process in both:
        process.wait(120)


def clock_ahead(scene: Scene) -> None:
    fast = ("faketime", "-f", "+180s")
    assert scene.submit(fast).returncode == 0
    ranks.wait_for_step(scene.run, 4)
    assert scene.status(fast)["state"] == "running"
    assert scene.submit(fast).returncode == 2, "a second job while the first runs"


def given_to_sbatch_again(scene: Scene) -> None:
    """The job's own script once more, by hand, while the first job trains."""
    scene.train_for_a_while()
    second = scene.cluster.run("sbatch", "--parsable", str(scene.run.script))
    wait_until(
        lambda: not scene.cluster.run("squeue", "-h", "-j", second, "-o", "%T", "--states=R,PD,CG"),
        120,
        message="the second job does not leave",
    )


def controller_silent(scene: Scene) -> None:
    """The controller does not answer for a while, and users ask."""
    scene.train_for_a_while()
    scene.shim("squeue", "sleep 2; exit 1")
    assert scene.status()["state"] == "running"
    again = scene.submit()
    assert again.returncode == 2, f"a second job while nobody knows of the first: {again}"
    scene.shims = []


# ---- troubles after which the user types `hpcdl submit` again


def cancelled(scene: Scene) -> None:
    scene.train_for_a_while()
    assert scene.hpcdl("cancel", scene.run.id).returncode == 0


def cancelled_outside(scene: Scene) -> None:
    scene.train_for_a_while()
    scene.cluster.run("scancel", scene.job)


@dataclass(frozen=True)
class Case:
    """A trouble, and what the journal and `hpcdl status` may say of it."""

    trouble: Callable[[Scene], None]
    reason: str = ""
    """A regular expression for why the run was requeued or ended; "" where it was neither."""
    ends: str = ""
    """The state in which the run waits for `hpcdl submit`; "" where it goes on by itself."""
    partition: str = "main"


CASES = (
    Case(rank_killed, r"a rank was killed \(signal 9\)|has ended without an error message"),
    Case(rank_terminated, "terminated"),
    Case(time_limit_announced, "time limit|wall-clock limit"),
    Case(requeued, "requeue|pre-empted|terminated"),
    Case(suspended),
    Case(node_without_power, "", partition="fragile"),
    Case(node_taken_down, "node|terminated|pre-empted", partition="fragile"),
    Case(preempted, "pre-empt|time limit", partition="low"),
    Case(held_in_the_queue),
    Case(answer_lost),
    Case(submission_killed),
    Case(submitted_twice_at_once),
    Case(clock_ahead),
    Case(given_to_sbatch_again),
    Case(controller_silent),
    Case(cancelled, "cancelled by the user", "cancelled"),
    Case(cancelled_outside, "cancelled|terminated", "cancelled"),
)


# ---- one run through its trouble


def torment(case: Case, scene: Scene, calm: RunDir) -> list[str]:
    """What is wrong with the run in the end; nothing, if hpcdl is right."""
    try:
        case.trouble(scene)
        follow(case, scene)
    except (AssertionError, subprocess.SubprocessError) as error:
        return [f"{type(error).__name__}: {error}"]
    return list(faults(case, scene, calm))


def follow(case: Case, scene: Scene) -> None:
    """Wait until the run is complete, and type `hpcdl submit` again where a user has to."""
    deadline = time.monotonic() + SECONDS
    again = 1 if case.ends else 0
    while (status := scene.status())["state"] != "completed":
        assert time.monotonic() < deadline, f"still {status['state']}: {status['reason']}"
        if status["state"] in journal.ENDED:
            assert again, f"it ended as {status['state']}: {status['reason']}"
            assert status["state"] == case.ends, f"{status['state']}: {status['reason']}"
            again -= 1
            done = scene.submit()
            assert done.returncode == 0, done.stderr
        if status["state"] == "requeued":
            scene.cluster.script("haste", scene.job)
        time.sleep(1)  # between two looks of a user


def faults(case: Case, scene: Scene, calm: RunDir) -> Iterator[str]:
    """Whether the run was lost, doubled or misnamed, or computed something else."""
    folders = sorted(path.name for path in scene.run.root.glob(f"{scene.name}-*"))
    if folders != [scene.run.id]:
        yield f"doubled: {', '.join(folders)}"
    events = [entry.event for entry in journal.read(scene.run.journal)]
    yield from interleaved(events)
    ended = [e for e in events if e["event"] == "state" and e["state"] in ("failed", "timeout")]
    yield from (f"misnamed: {event['state']}: {event['reason']}" for event in ended)
    reasons = [
        event["reason"]
        for event in events
        if event["event"] == "state" and event["state"] in ("requeued", "cancelled", "stopped")
    ]
    if case.reason and not any(re.search(case.reason, reason) for reason in reasons):
        yield f"misnamed: none of {reasons} says '{case.reason}'"
    if final_state(scene.run) != final_state(calm):
        yield "other weights"
    if history(scene.run) != history(calm):
        yield "another history"


def interleaved(events: list[dict[str, Any]]) -> Iterator[str]:
    """Signs of two jobs at once: within one start, the steps of one training only increase."""
    step = -1
    for event in events:
        if event["event"] == "started":
            step = event["step"]
        elif event["event"] == "metrics" and "train/loss" in event["values"]:
            if event["step"] <= step:
                yield f"doubled: step {event['step']} after {step}"
            step = event["step"]


def undisturbed(folder: Path, size: int) -> RunDir:
    """The same training, left in peace."""
    scene = Scene(Cluster(folder), folder, f"calm{size}", size, "main", random.Random())
    scene.write_spec(pace=0)
    return ranks.train(prepared(folder / "calm", load(scene.spec), folder))


def perform(cluster: Cluster, folder: Path, number: int, case: Case, seed: int) -> list[str]:
    """Torment one run, alone on its nodes where the case needs that."""
    name = f"{number:03}-{case.trouble.__name__.replace('_', '-')}"
    rng = random.Random(f"{seed} {name}")
    scene = Scene(cluster, folder, name, rng.choice((1, 2)), case.partition, rng)
    scene.write_spec(pace=0.08)  # longer than any trouble takes to come
    alone = {
        "fragile": (("n5", "n6"), ("fragile",)),
        "low": (("n7", "n8"), ("low", "high")),
    }.get(case.partition)
    with cluster.alone(*alone[0], partitions=alone[1]) if alone else contextlib.nullcontext():
        return torment(case, scene, RunDir(folder / "calm" / f"calm{scene.size}-1"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=51)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=3, help="runs side by side")
    parser.add_argument("--only", help="the name of one case")
    args = parser.parse_args()
    console = Console()
    cluster = Cluster(Path(os.environ["SLURM_CONF"]).parent.parent)
    cases = [case for case in CASES if args.only in (None, case.trouble.__name__)]
    if shutil.which("faketime") is None:
        console.print("clock_ahead is left out: apt-get install faketime")
        cases = [case for case in cases if case.trouble is not clock_ahead]
    counts, wrong = Counter[str](), []
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root,
        ThreadPoolExecutor(args.at_once) as pool,
    ):
        folder = own_models(Path(root))
        for size in (1, 2):
            undisturbed(folder, size)
        chosen = list(itertools.islice(itertools.cycle(cases), args.runs))
        work = {
            pool.submit(perform, cluster, folder, number, case, args.seed): number
            for number, case in enumerate(chosen)
        }
        for done in as_completed(work):
            number, found = work[done], done.result()
            name = chosen[number].trouble.__name__
            counts[name] += 1
            wrong += [f"{number:03} {name}: {fault}" for fault in found]
            console.print(f"{number:03} {name}: {found or 'as undisturbed'}", markup=False)
    table = Table("trouble", "runs", "lost, doubled, misnamed or otherwise wrong")
    for name, count in counts.items():
        table.add_row(name, str(count), str(sum(f" {name}: " in line for line in wrong)))
    console.print(table)
    for line in wrong:
        console.print(line, style="bold red", markup=False)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
