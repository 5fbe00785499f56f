"""Checkpoints of a state on a GPU, written while the training goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from hpc_dl.train import checkpoint, state_copy
from hpc_dl.train.checkpoint_writer import CheckpointWriter, Saved
from tests.gpu import machine
from tests.gpu.engines import Steps, alone
from tests.support.running import digest_of

WIDTH = 64 if machine.ON_CPU else 4096
JOB = {"model": {"name": "ffnn", "hidden": [WIDTH] * 4}}
"""On a GPU 600 MB of weights and moments, which take longer to copy than the next steps."""
MIB = 2**20
AFTER = 20
"""Steps while a checkpoint is written."""


def check_copies(folder: Path) -> str:
    """A checkpoint has the bits of its own step, whether the next steps go on beside the copies or
    wait for them, for want of room; the former holds the training for less, and adds nothing to the
    peak memory. Prints for how long."""
    steps = Steps(JOB, folder, alone())
    steps.take(3)
    saved: list[Saved] = []
    writer = CheckpointWriter(folder / "checkpoints", 9, saved.append, _fail)
    _check_save(steps, writer)  # allocates the memory of the copy
    if machine.ON_CPU:
        return "a CPU has neither streams nor pinned memory: the bits alone"
    before = torch.cuda.max_memory_allocated()
    _check_save(steps, writer)
    grown = torch.cuda.max_memory_allocated() - before
    assert grown < MIB, f"the peak has grown by {grown} bytes"
    with _little_room(steps):
        _check_save(steps, writer)
    beside, waited = (it.held for it in saved[1:])
    assert beside < waited, f"held for {beside} s beside the steps, {waited} s without room"
    return f"held for {1000 * beside:.1f} ms, without room for {1000 * waited:.1f} ms"


def _check_save(steps: Steps, writer: CheckpointWriter) -> None:
    """Save, take steps at once, and compare what is written with the state of before."""
    step, state = steps.engine.step, steps.engine.state()
    expected = digest_of(_on_the_cpu(state))
    writer.save(state, step, best=False)
    steps.take(AFTER)
    writer.wait()
    assert digest_of(checkpoint.load(writer.folder / f"step-{step:08d}")) == expected
    assert digest_of(_on_the_cpu(steps.engine.state())) != expected, "no step has changed anything"


def _on_the_cpu(value: object) -> object:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, dict):
        return {key: _on_the_cpu(item) for key, item in value.items()}
    return [_on_the_cpu(item) for item in value] if isinstance(value, list) else value


@contextmanager
def _little_room(steps: Steps) -> Iterator[None]:
    """Leave too little of the GPU's memory for snapshots of the state."""
    nets = steps.engine.unwrapped.values()
    weights = sum(it.nbytes for net in nets for it in net.parameters())
    free, _ = torch.cuda.mem_get_info()
    held = torch.empty(free - state_copy.ROOM * weights, dtype=torch.uint8, device="cuda")
    yield
    del held
    torch.cuda.empty_cache()


def _fail(why: str) -> None:
    raise AssertionError(why)
