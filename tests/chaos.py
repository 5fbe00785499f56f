"""Chaos test: runs that are killed at random points, repeatedly, end with the same bits.

`python -m tests.chaos --kills 200` tests every architecture of the zoo on one, two and four ranks,
and prints a table; `make chaos` runs it. A seed picks the points, so a mismatch is reproducible.
"""

import argparse
import itertools
import os
import pkgutil
import random
import re
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hpc_dl.jobspec.architectures import ZOO
from hpc_dl.jobspec.load import load
from hpc_dl.run import journal
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from tests.support import ranks
from tests.support.running import final_state, history, new_run
from tests.support.waiting import wait_until

JOBS = Path(__file__).parent.parent / "jobs"
TRAIN = {
    "epochs": None,
    "steps": 36,
    "log_every": 1,
    "ema_decay": 0.9,
}
"""With the 1797 digits and batches of 128, 3 epochs."""
NEVER_BETTER = ("gan", "diffusion")
"""Architectures without a metric by which to stop early."""

POINTS = {
    "in a step": ("hpc_dl.train.engine:Engine.backward", 36),
    "between the gradient and the step": ("hpc_dl.train.engine:Engine._clip", 36),
    "between two updates": ("hpc_dl.train.engine:Engine._update", 36),
    "in an evaluation": ("hpc_dl.train.evaluate:EvaluationMetrics.update", 6),
    "while the state is copied": ("hpc_dl.train.state_copy:_laid_out", 200),
    "before the checksum of a checkpoint": ("hpc_dl.train.checkpoint:_sha256", 9),
    "before and after a checkpoint is renamed": ("hpc_dl.train.checkpoint:sync_folder", 20),
    "while an old checkpoint is removed": ("shutil:rmtree", 12),
    "while a picture is drawn": ("hpc_dl.tasks.artifacts:Picture.pixels", 4),
    "while the model is exported": ("hpc_dl.train.export:write_json", 1),
    "in the middle of a line of the journal": ("hpc_dl.run.journal:Journal.append", 60),
}
"""Functions at whose call a rank is killed, and how often a run calls them, roughly."""


def resolved(point: str) -> tuple[Any, str]:
    """Return the owner of a point's function, and its name there."""
    owner, name = re.split(r"[:.](?=\w+$)", POINTS[point][0])
    return pkgutil.resolve_name(owner), name


@dataclass(frozen=True)
class Kill:
    """A sabotage: the rank sends itself a signal at a certain call of a function."""

    point: str
    call: int
    number: signal.Signals = signal.SIGKILL

    def __call__(self) -> None:
        place, name = resolved(self.point)
        original, calls = getattr(place, name), itertools.count(1)

        def killing(*args: object, **kwargs: object) -> object:
            if next(calls) == self.call:
                self._kill(args)
            return original(*args, **kwargs)

        setattr(place, name, killing)

    def _kill(self, args: tuple[object, ...]) -> None:
        if isinstance(args[0] if args else None, Journal):
            os.write(args[0]._file.fileno(), b'{"t": 1.0, "event": "metr')
            os.kill(os.getpid(), signal.SIGKILL)
        os.kill(os.getpid(), self.number)


@dataclass
class Outcome:
    """Kills and mismatches of one architecture on so many ranks."""

    architecture: str
    size: int
    kills: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    mismatches: list[str] = field(default_factory=list)


def job(root: Path, name: str, architecture: str, size: int) -> RunDir:
    """Prepare a short run of the architecture's job file, with all sources of randomness."""
    spec = load(JOBS / f"{architecture}.yaml")
    sections = spec.model_dump(include={"model", "data"})
    train = {**TRAIN, "optimizer": spec.train.optimizer.model_dump()}
    if architecture not in NEVER_BETTER:
        train["early_stopping"] = {"patience": 50}
    return new_run(
        root,
        name=name,
        **sections,
        train={**train, "micro_batch": 50, "clip_norm": 5.0},
        checkpoint={"every": "4 steps", "keep": 2},
        resources={"tasks_per_node": size, "cpus_per_task": 1},
    )


def random_kills(rng: random.Random, size: int) -> Iterator[tuple[Kill, int]]:
    """Yield kills and the ranks that they hit; every point in turn, in random order."""
    while True:
        for point in rng.sample(list(POINTS), len(POINTS)):
            number = rng.choices((signal.SIGKILL, signal.SIGUSR2, signal.SIGTERM), (6, 1, 1))[0]
            yield Kill(point, rng.randint(1, POINTS[point][1]), number), rng.randrange(size)


def kill_repeatedly(
    run: RunDir, kills: Iterator[tuple[Kill, int]], most: int, outcome: Outcome
) -> None:
    """Start a run until it is completed, and kill it at most so many times."""
    while journal.last_state(run.journal)[0] != "completed":
        kill, victim = next(kills)
        sabotage = kill if most > 0 else None
        outcome.starts += 1
        with ranks.ended(ranks.start(run, sabotage, victim)) as processes:
            wait_until(
                lambda: any(p.exitcode is not None for p in processes), 120, message="it hangs"
            )
            if sabotage is None or processes[victim].exitcode == 0:
                for process in processes:
                    process.join(60)
        if processes[victim].exitcode == -signal.SIGKILL and sabotage is not None:
            outcome.kills[kill.point] += 1
            most -= 1


def compare_killed_runs(
    root: Path, architecture: str, size: int, kills: int, seed: int, each: int = 4
) -> Outcome:
    """Kill runs so many times in all, and compare each with an undisturbed one."""
    outcome = Outcome(architecture, size)
    undisturbed = ranks.train(job(root, f"undisturbed-{architecture}-{size}", architecture, size))
    choices = random_kills(random.Random(f"{seed} {architecture} {size}"), size)
    while outcome.kills.total() < kills:
        run = job(root, f"killed-{architecture}-{size}", architecture, size)
        kill_repeatedly(run, choices, min(each, kills - outcome.kills.total()), outcome)
        if final_state(run) != final_state(undisturbed):
            outcome.mismatches.append(f"{run.id}: other weights")
        if history(run) != history(undisturbed):
            outcome.mismatches.append(f"{run.id}: another history")
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="per architecture and world size")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    console = Console()
    table = Table("architecture", "ranks", "kills", "starts", "mismatches")
    with tempfile.TemporaryDirectory() as root:
        outcomes = []
        for architecture, size in itertools.product(ZOO, (1, 2, 4)):
            outcome = compare_killed_runs(Path(root), architecture, size, args.kills, args.seed)
            outcomes.append(outcome)
            kills = str(outcome.kills.total())
            console.print(f"{architecture} on {size} ranks: {kills} kills", style="dim")
            table.add_row(
                architecture, str(size), kills, str(outcome.starts), str(len(outcome.mismatches))
            )
    console.print(table)
    points = sum((outcome.kills for outcome in outcomes), Counter[str]())
    for point, count in points.most_common():
        console.print(f"{count:5} {point}")
    wrong = [mismatch for outcome in outcomes for mismatch in outcome.mismatches]
    for mismatch in wrong:
        console.print(mismatch, style="bold red")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
