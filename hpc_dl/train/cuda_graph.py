"""CUDA graph of a step's forward and backward pass (`train.compile`).

Python launches each kernel anew in every step, and a GPU waits for it where kernels are small.
`torch.cuda.make_graphed_callables` captures them once; a step then copies its batch to where the
graph reads it, and the GPU replays the graph. What the host decides stays outside: the verdict on
the loss, gradient clipping, optimizers, EMA. A replay draws the random numbers that the generator's
seed gives, as the eager step does.

A graph also repeats what Python has decided while it was captured. So it is used only if it gives
the losses and gradients of the eager step on two batches. Which steps are replayed follows from
their batches' shapes alone, so that a resumed run replays the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from hpc_dl.data.sampler import Batches
from hpc_dl.train import memory
from hpc_dl.train.distribute import trained_players
from hpc_dl.train.engine import Engine
from hpc_dl.train.reproducibility import STEP, seed_generators
from hpc_dl.zoo.contract import Batch, Loss, Nets

TOLERANCE = 1e-2
"""How far a graph's loss and gradients may be from those of the eager step, as a share of their
norm: kernels may add in another order, but dropout that repeats itself is further off."""

Signature = Mapping[str, tuple[torch.Size, torch.dtype]]


class CannotCapture(Exception):
    """A step that a graph would not repeat as it is."""


def capture(engine: Engine, batches: Batches, steps_per_epoch: int) -> str | None:
    """Have an engine of one rank replay its passes from now on; return why not, where it cannot.

    Weights and buffers stay as they are.
    """
    two = [batches.of_step(step)[0] for step in (0, steps_per_epoch)]  # none is an epoch's last
    graphs: dict[str, Graph] = {}
    engine.buffers.save()
    try:
        with _same_stream(engine.world.device):
            _check_batches(two, engine.world.device)
            for name in trained_players(engine):
                graphs[name] = _tried(engine, name, two)
    except (CannotCapture, RuntimeError, AssertionError) as error:  # the last is torch's, too
        graphs.clear()
        memory.release()
        return str(error).partition("\n")[0]
    finally:
        engine.buffers.restore()
    engine.replayed_loss = ReplayedLoss(engine, graphs)
    return None


class ReplayedLoss:
    """The losses of an architecture, replayed for batches of the shapes that were captured."""

    def __init__(self, engine: Engine, graphs: Mapping[str, Graph]) -> None:
        self._architecture, self._graphs = engine.architecture, graphs

    def __call__(self, nets: Nets, batch: Batch, player: str) -> Loss:
        graph = self._graphs.get(player)
        if graph is None or graph.signature != _signature(batch):  # such as an epoch's last batch
            return self._architecture.loss(nets, batch, player)
        return graph.loss(batch)


class Graph:
    """The captured loss of a player, and its backward pass."""

    def __init__(self, engine: Engine, player: str, batch: Batch) -> None:
        """Capture the passes; the other players have to be frozen."""
        self.signature = _signature(batch)
        self._loss = _LossOfTensors(engine, player, list(batch))
        read = tuple(it.clone() for it in batch.values())  # a replay's batch is copied there
        torch.cuda.make_graphed_callables(self._loss, read, allow_unused_input=True)

    def loss(self, batch: Batch) -> Loss:
        """Return the loss of a batch, in memory that the next replay does not write to."""
        outputs = self._loss(*(batch[name] for name in self._loss.names))
        total, *rest = (it.clone() for it in outputs)
        count = rest.pop() if self._loss.count is None else self._loss.count
        return Loss(total, count, dict(zip(self._loss.logs, rest, strict=True)))


class _LossOfTensors(nn.Module):
    """A player's loss as torch captures it, from tensors to tensors: the total, what is logged, and
    the count, unless that is a number of the host."""

    def __init__(self, engine: Engine, player: str, names: Sequence[str]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(engine.nets.values())  # for their parameters
        self.architecture, self.nets = engine.architecture, engine.nets
        self.player, self.names = player, names
        self.logs: tuple[str, ...] = ()
        self.count: int | None = None

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        batch = dict(zip(self.names, tensors, strict=True))
        loss = self.architecture.loss(self.nets, batch, self.player)
        self.logs, self.count = tuple(loss.logs), None
        outputs = [loss.total, *(it.detach() for it in loss.logs.values())]
        if isinstance(loss.count, Tensor):
            return *outputs, loss.count.detach()
        self.count = loss.count
        return tuple(outputs)


def _tried(engine: Engine, name: str, two: Sequence[Batch]) -> Graph:
    """Return the graph of a player. Raises CannotCapture if it is not what the eager step is."""
    _gradients(engine, name, two[0], 0)  # what is done once may copy, or wait
    with on_the_device(engine.world.device):
        eager = [_gradients(engine, name, batch, step) for step, batch in enumerate(two)]
    with engine.only_trainable(name):
        graph = Graph(engine, name, two[0])
    for step, batch in enumerate(two):
        found = _gradients(engine, name, batch, step, graph)
        if not all(map(_is_close, found, eager[step])):
            raise CannotCapture(
                "the loss of a CUDA graph is another than that of the step it was captured from: "
                "the step depends on more than its batch, its weights and torch's random numbers"
            )
    return graph


def _gradients(
    engine: Engine, name: str, batch: Batch, step: int, graph: Graph | None = None
) -> tuple[Tensor, Tensor]:
    """Return the mean loss, (1,), and all gradients in one, (parameters,); nothing is changed."""
    seed_generators(engine.world.device, engine.seed, STEP, step, engine.world.rank)
    parameters = engine.players[name].parameters
    with engine.only_trainable(name):
        loss = graph.loss(batch) if graph else engine.architecture.loss(engine.nets, batch, name)
        mean = loss.total / loss.count
        found = torch.autograd.grad(mean, parameters, allow_unused=True)
    engine.buffers.restore()
    used = [it.flatten() for it in found if it is not None]
    return mean.detach()[None], torch.cat(used)


def _is_close(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).norm() <= TOLERANCE * expected.norm())


def _check_batches(two: Sequence[Batch], device: torch.device) -> None:
    """Raise CannotCapture for batches that a graph cannot read."""
    if any(it.device != device for batch in two for it in batch.values()):
        raise CannotCapture("a part of each batch is in main memory")
    if _signature(two[0]) != _signature(two[1]):
        raise CannotCapture("batches differ in shape")


def _signature(batch: Batch) -> Signature:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in batch.items()}


class _NoHostMemory(TorchFunctionMode):
    """Raises CannotCapture for an operation on the device that reads main memory: a graph would
    read it there again, when it may hold something else."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        given = {it.device for it in _tensors((args, kwargs))}
        touched = given | {it.device for it in _tensors(found)}
        if torch.device("cpu") in given and self._device in touched:
            raise CannotCapture(f"{getattr(func, '__name__', func)} reads main memory in each step")
        return found


def _tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)


@contextmanager
def on_the_device(device: torch.device) -> Iterator[None]:
    """Raise CannotCapture for what reads main memory, RuntimeError for what waits for a GPU."""
    if device.type == "cpu":
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_sync_debug_mode("error")
    try:
        with _NoHostMemory(device):
            yield
    finally:
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")


def _same_stream(device: torch.device) -> AbstractContextManager[Any]:
    """Return to the stream of now at the end, also if a capture fails, which stays on its own."""
    return (
        torch.cuda.stream(torch.cuda.current_stream(device))
        if device.type == "cuda"
        else nullcontext()
    )
