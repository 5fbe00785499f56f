"""What is measured: functions that prepare work of a size, and return the work.

Work that starts a command is measured with that command.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Work = Callable[[], float | None]
"""What is measured; it returns the seconds of CPU itself where other processes do it."""

BATCH, STEPS = 64, 20
JOBS = Path(__file__).parent.parent.parent / "jobs"


@dataclass(frozen=True)
class Line:
    """Work of growing size."""

    title: str
    unit: str
    """Of which there are `size`, and of which the cost of one is shown."""
    sizes: tuple[int, ...]
    prepare: Callable[[int, Path], Work]
    is_command: bool = False
    """True if the work is that of a child process, whose memory is measured."""
    of_one: bool = False
    """True if the work is one unit beside `size` others, not `size` units."""


def _sync(points: int, folder: Path) -> Work:
    from hpc_dl.run.journal import Journal
    from hpc_dl.run.layout import RunDir
    from hpc_dl.tracking.sync import sync_run
    from tests.support.stores import run_for

    def journalled(points: int) -> RunDir:
        run = run_for(f"sqlite:///{folder}/mlflow.db", folder)
        log = Journal(run.journal)
        for step in range(1, points // 2 + 1):
            log.append("metrics", step=step, epoch=0, values={"train/loss": 1 / step, "lr": 0.1})
        log.close()
        return run

    sync_run(journalled(100))  # the store is made, and MLflow imported
    run = journalled(points)

    def work() -> None:
        assert sync_run(run).points == points

    return work


def _runs(count: int, root: Path) -> None:
    """Make completed runs of a training, which differ in their seeds."""
    from hpc_dl.run.journal import Journal
    from tests.support.running import new_run

    first = new_run(root, train={"seed": 0})
    log = Journal(first.journal)
    log.append("progress", epoch=1, epochs=2, step=24, steps=24, seconds_left=0)
    log.append("metrics", step=24, epoch=1, values={"val/loss": 0.3, "val/accuracy": 0.9})
    log.append("state", state="completed", reason="24 steps trained: all steps")
    log.close()
    name, spec = first.name, first.spec.read_text()
    files = [it for it in first.path.iterdir() if it.is_file() and it != first.spec]
    for number in range(2, count + 1):
        path = root / f"{name}-{number}"
        path.mkdir()
        for file in files:
            os.link(file, path / file.name)
        (path / "spec.yaml").write_text(spec.replace("seed: 0", f"seed: {number}"))


def _command(*words: str) -> Callable[[int, Path], Work]:
    """Return work that is a command, in a folder with so many runs."""

    def prepare(runs: int, folder: Path) -> Work:
        _runs(runs, folder / "runs")
        environment = os.environ | {"HPCDL_RUN_ROOT": f"{folder}/runs", "HPCDL_SITE": "generic"}
        command = [sys.executable, "-m", "hpc_dl", *words]

        def work() -> None:
            output = subprocess.DEVNULL
            subprocess.run(command, env=environment, stdout=output, check=True)

        return work

    return prepare


def _epoch(examples: int, folder: Path) -> Work:
    """An epoch of batches of resident examples, eight numbers each."""
    import torch

    from hpc_dl.data.dataset import Split
    from hpc_dl.data.sampler import Batches

    tensors = {"table": torch.rand(examples, 8), "label": torch.zeros(examples, dtype=torch.int64)}
    batches = Batches(Split(tensors), 1024, 1024, 0, 0, 1)

    def work() -> None:
        for _ in batches.steps(0):
            pass

    return work


def _steps(sections: dict[str, Any], folder: Path) -> Work:
    """Optimizer steps of a job on the digits, or other data."""
    import torch

    from tests.support import steps

    engine, batches = steps.engine_of(steps.job(**sections), folder)
    torch.set_flush_denormal(True)  # as a rank does

    def work() -> None:
        _train(engine, batches, STEPS)

    _train(engine, batches, 2)
    return work


def _train(engine: Any, batches: Any, count: int) -> None:
    for micro_batches in batches.training_steps(0, count):
        engine.train_step(micro_batches, batches.dummy_batch, False)


def _of_length(model: str) -> Callable[[int, Path], Work]:
    """Return work that is the training of a network on sequences of a length."""

    def prepare(length: int, folder: Path) -> Work:
        import numpy as np

        file, count = folder / "a.npz", 8 * (STEPS + 1)
        x, y = np.random.default_rng(0).random((2 * count, length, 4), "f4"), np.arange(2 * count)
        np.savez(file, x=x, y=y % 2)
        data = {"name": "npz", "path": str(file), "kind": "sequence", "batch_size": 8}
        return _steps({"data": data, "model": {"name": model}}, folder)

    return prepare


def _of_size(parameters: int, folder: Path) -> Work:
    """The training of a network with so many parameters, one hidden layer of the right width."""
    width = round(((parameters + 5000) ** 0.5) - 70)
    return _steps({"model": {"name": "ffnn", "hidden": [width, width]}}, folder)


def _on_ranks(size: int, folder: Path) -> Work:
    """The same batch on each of several ranks: seconds of the rank 0, for its own steps."""
    from tests.support import ranks, steps

    model = {"name": "ffnn", "hidden": [512, 512]}
    spec = steps.job(model=model, data={"batch_size": BATCH * size})

    def work() -> float:
        return float(ranks.call_on_all(_seconds_of_rank, size, folder, spec, folder)) * size

    return work


def _seconds_of_rank(world: Any, spec: Any, folder: Path) -> float:
    from tests.support import steps

    engine, batches = steps.engine_of(spec, folder, world)
    _train(engine, batches, STEPS)
    started = time.process_time()
    _train(engine, batches, 10 * STEPS)
    return time.process_time() - started


_TENS = (1_000, 10_000, 100_000, 1_000_000)
_LENGTHS = (32, 64, 128, 256, 512)
LINES = {
    "journal": Line("journal to store", "point", _TENS, _sync),
    "status": Line(
        "hpcdl status --all", "run", (10, 100, 1000, 10_000), _command("status", "--all"), True
    ),
    "status-json": Line(
        "hpcdl status --all --json",
        "run",
        (10, 100, 1000, 10_000),
        _command("status", "--all", "--json"),
        True,
    ),
    "submit": Line(
        "the plan of a job beside others",
        "job",
        (1, 10, 100, 1000),
        _command("submit", str(JOBS / "ffnn.yaml"), "name=quick", "--local", "--dry-run=plan"),
        is_command=True,
        of_one=True,
    ),
    "resident": Line("an epoch of resident examples", "example", (*_TENS, 10_000_000), _epoch),
    "lstm": Line("lstm, by the length", "time step", _LENGTHS, _of_length("lstm")),
    "transformer": Line(
        "transformer, by the length", "time step", _LENGTHS, _of_length("transformer")
    ),
    "parameters": Line(
        "ffnn, by its parameters", "parameter", (10**4, 10**5, 10**6, 10**7), _of_size
    ),
    "ranks": Line("steps on ranks of this machine", "rank", (1, 2, 3, 4), _on_ranks),
}
"""By the name that `--only` takes."""
