"""Advice after out-of-memory errors: try smaller batches to find the largest that fits.

The rank that ran out is alone then: the others wait for it inside DDP. So unwrapped networks are
tried, which wait for nobody.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from hpc_dl.data.dataset import Split
from hpc_dl.data.sampler import Batches, held_out
from hpc_dl.errors import UserError
from hpc_dl.train import batch_norm, memory
from hpc_dl.train.engine import Engine
from hpc_dl.train.evaluate import Measure, evaluating
from hpc_dl.train.player import Player
from hpc_dl.zoo.contract import Batch, take

_MAIN_MEMORY = "More main memory (resources.mem), or fewer data.workers."


def explain_step(error: Exception, engine: Engine, batches: Batches) -> UserError:
    """Return the error of a training step, with the largest micro-batch that fits."""
    parts = _load(lambda: batches.of_step(engine.step))  # a step holds all of them, too
    batch = max(parts, key=_count, default=None)
    doing = f"training on {_count(batch) if batch else batches.micro_batch} examples at once"
    if memory.is_out_of_main_memory(error) and engine.world.device.type != "cpu":
        hint = _MAIN_MEMORY
    elif engine.is_sharded:
        hint = "A smaller train.micro_batch may fit, or more ranks: with FSDP none is tried."
    else:
        hint = _advice(engine, _largest_step(engine, batch) if batch else 0)
    return memory.explain(error, engine.world.device, doing, hint)


def explain_evaluation(
    error: Exception, engine: Engine, measure: Measure, split: Split, size: int
) -> UserError:
    """Return the error of an evaluation of `size` examples at once, with the most that fit."""
    world = engine.world
    shares = held_out(split, size, world.rank, world.size, by_length=True)
    batch = next(iter(_load(lambda: list(itertools.islice(shares, 1)))), None)
    doing = f"evaluating {_count(batch) if batch else size} examples at once"
    if memory.is_out_of_main_memory(error) and world.device.type != "cpu":
        hint = _MAIN_MEMORY
    elif engine.is_sharded:
        hint = "A smaller train.micro_batch may fit: an evaluation takes no more at once."
    else:
        fits = _largest_evaluation(engine, measure, batch) if batch else 0
        hint = f"train.micro_batch={fits} fits: an evaluation takes no more at once."
        hint = hint if fits else _NOTHING_FITS
    return memory.explain(error, world.device, doing, hint)


_NOTHING_FITS = (
    "No smaller batch fits: a smaller model, or more memory (resources.mem, another GPU, "
    "several with train.strategy=fsdp)."
)


def _advice(engine: Engine, fits: int) -> str:
    if not fits:
        return _NOTHING_FITS
    mixes = any(batch_norm.layers(net) for net in engine.unwrapped.values())
    result = "other statistics of batch norm" if mixes else "the same result"
    advice = f"train.micro_batch={fits} fits: the step is then computed in parts, with {result}"
    if mixes:
        advice += ", which more ranks and train.sync_batch_norm=true leave as they are"
    return f"{advice}."


def _load(batches: Callable[[], list[Batch]]) -> list[Batch]:
    """Return the batches; none if there is no memory even for these."""
    try:
        return batches()
    except memory.ERRORS as error:
        if not memory.is_out_of_memory(error):
            raise
        return []


def _count(batch: Batch) -> int:
    return len(batch["index"])


def _largest_step(engine: Engine, batch: Batch) -> int:
    """Halve `batch` until each player's update fits, and return its size."""
    _detach_from_ranks(engine)
    updates = engine.architecture.updates(engine.step)

    def step(some: Batch) -> None:
        reserved = list(_allocate_later_needs(engine))
        for name in updates:
            with _only_trainable(engine, name):
                engine.architecture.loss(engine.unwrapped, some, name).total.backward()
        del reserved

    return _largest(batch, step, engine.unwrapped)


def _largest_evaluation(engine: Engine, measure: Measure, batch: Batch) -> int:
    nets = engine.evaluation_nets

    def evaluate(some: Batch) -> None:
        with evaluating(nets), torch.no_grad():
            measure(nets, some)

    return _largest(batch, evaluate, nets)


def _largest(batch: Batch, work: Callable[[Batch], None], nets: Mapping[str, nn.Module]) -> int:
    count = _count(batch) // 2
    while count and not _fits(take(batch, slice(count)), work, nets):
        count //= 2
    return count


def _fits(batch: Batch, work: Callable[[Batch], None], nets: Mapping[str, nn.Module]) -> bool:
    try:
        work(batch)
    except Exception:  # or too few examples: batch norm needs two
        return False
    finally:
        for net in nets.values():
            net.zero_grad()
        memory.release()
    return True


def _detach_from_ranks(engine: Engine) -> None:
    """Replace the parameters, for DDP's hooks on them wait for the other ranks; desynchronise."""
    for player in engine.players.values():
        player.optimizer.zero_grad()
    for net in engine.unwrapped.values():
        batch_norm.desynchronise(net)
        replaced: dict[int, nn.Parameter] = {}
        for module in net.modules():
            for name, old in list(module.named_parameters(recurse=False)):
                new = replaced.setdefault(id(old), nn.Parameter(old.detach(), old.requires_grad))
                setattr(module, name, new)


def _allocate_later_needs(engine: Engine) -> Iterator[Tensor]:
    """Allocate what a later step holds beside its activations, and this one does not yet.

    Gradients of earlier micro-batches, the optimizer's state, and buckets of the gradient sync.
    """
    for name, player in engine.players.items():
        for parameter in engine.unwrapped[name].parameters():
            if parameter.requires_grad:
                parameter.grad = torch.ones_like(parameter)
                for _ in range(_moments(player) + _buckets(engine, name)):
                    yield torch.ones_like(parameter)


def _moments(player: Player) -> int:
    """Return how many numbers per weight the optimizer has still to allocate."""
    options = player.optimizer.defaults
    if player.optimizer.state:
        return 0
    return 2 if "betas" in options else int(options["momentum"] > 0)


def _buckets(engine: Engine, name: str) -> int:
    """Return how many numbers per weight the gradient sync has still to allocate."""
    is_alone = engine.world.size == 1
    return int(not is_alone and not isinstance(engine.nets[name], DistributedDataParallel))


@contextlib.contextmanager
def _only_trainable(engine: Engine, name: str) -> Iterator[None]:
    """Freeze the other players, as in an update."""
    others = [
        parameter
        for other, net in engine.unwrapped.items()
        if other != name
        for parameter in net.parameters()
        if parameter.requires_grad
    ]
    for parameter in others:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)
