"""For how long a training stands still for a checkpoint, beside a save that it waits for.

`python -m tests.bench.bench_save` saves states of several sizes into a temporary folder, each way
in turn, and prints the median time that the loop is held, and its ratio to the save that is waited
for. torch's own asynchronous save (torch.distributed.checkpoint) stands beside.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp

from hpc_dl.train.checkpoint_writer import CheckpointWriter

MB = 10**6
SIZES = (10, 100, 1000)
ROUNDS = 5
TENSORS = 20

State = dict[str, Any]


def state_of(megabytes: int) -> State:
    """So many tensors, of so many bytes together."""
    each = megabytes * MB // 4 // TENSORS
    weights = {f"layer{number}": torch.rand(each) for number in range(TENSORS)}
    return {"engine": {"step": 1, "networks": {"model": weights}}}


def by_hpcdl(folder: Path, state: State) -> list[float]:
    """Copied; written, checked and made durable in the background."""
    saver, held = CheckpointWriter(folder, 1, lambda _: None, sys.exit), []
    for step in range(1, ROUNDS + 2):
        started = time.perf_counter()
        saver.save(state, step, best=False)
        held.append(time.perf_counter() - started)
        saver.wait()
    return held[1:]  # the first allocates the memory of the copy


def waited_for(folder: Path, state: State) -> list[float]:
    """The same checkpoint, and the loop waits until it is there."""
    saver, held = CheckpointWriter(folder, 1, lambda _: None, sys.exit), []
    for step in range(1, ROUNDS + 2):
        started = time.perf_counter()
        saver.save(state, step, best=False)
        saver.wait()
        held.append(time.perf_counter() - started)
    return held[1:]


def by_torch(folder: Path, state: State) -> list[float]:
    """torch.distributed.checkpoint.async_save."""
    held = []
    for step in range(1, ROUNDS + 2):
        started = time.perf_counter()
        future = dcp.async_save(state, checkpoint_id=folder / str(step), no_dist=True)
        held.append(time.perf_counter() - started)
        future.result()
    return held[1:]


WAYS: dict[str, Callable[[Path, State], list[float]]] = {
    "synchronous": waited_for,
    "hpcdl": by_hpcdl,
    "torch async_save": by_torch,
}


def main() -> None:
    sys.stdout.write(f"{'MB':>5}  {'way':18} {'held, ms':>9}  of synchronous\n")
    for size in SIZES:
        state, whole = state_of(size), 0.0
        for name, way in WAYS.items():
            with tempfile.TemporaryDirectory() as folder:
                seconds = statistics.median(way(Path(folder), state))
            whole = whole or seconds
            sys.stdout.write(f"{size:5}  {name:18} {1000 * seconds:9.1f}  {seconds / whole:.3f}\n")


if __name__ == "__main__":
    main()
