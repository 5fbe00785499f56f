"""How much fits: where memory runs out in a step or an evaluation, smaller batches are tried.

The rank that ran out is alone then. The others wait inside DDP for a rank that does not come, and
whatever it computed together with them it would wait for, too: what is tried are bare networks.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from hpc_dl.data.batches import Batches, held_out
from hpc_dl.data.dataset import Split
from hpc_dl.errors import UserError
from hpc_dl.train import batch_norm, memory
from hpc_dl.train.engine import Engine
from hpc_dl.train.evaluate import Measure, evaluating
from hpc_dl.train.participant import Player
from hpc_dl.zoo.contract import Batch, part

_MAIN_MEMORY = "More main memory (resources.mem), or fewer data.workers."


def explain_step(error: Exception, engine: Engine, batches: Batches) -> UserError:
    """The error of a training step, with the most examples of which one fits."""
    parts = _given(lambda: batches.of_step(engine.step))  # all of them are there in a step, too
    batch = max(parts, key=_count, default=None)
    doing = f"training on {_count(batch) if batch else batches.micro_batch} examples at once"
    if memory.of_main_memory(error) and engine.world.device.type != "cpu":
        hint = _MAIN_MEMORY
    elif engine.sharded:
        hint = "A smaller train.micro_batch may fit, or more ranks: divided networks are not tried."
    else:
        hint = _advice(engine, _most_of_a_step(engine, batch) if batch else 0)
    return memory.explain(error, engine.world.device, doing, hint)


def explain_evaluation(
    error: Exception, engine: Engine, measure: Measure, split: Split, size: int
) -> UserError:
    """The error of an evaluation, `size` examples at once, with the most that can be measured."""
    world = engine.world
    shares = held_out(split, size, world.rank, world.size)
    batch = next(iter(_given(lambda: list(itertools.islice(shares, 1)))), None)
    doing = f"evaluating {_count(batch) if batch else size} examples at once"
    if memory.of_main_memory(error) and world.device.type != "cpu":
        hint = _MAIN_MEMORY
    elif engine.sharded:
        hint = "A smaller train.micro_batch may fit: an evaluation takes no more at once."
    else:
        fits = _most_of_an_evaluation(engine, measure, batch) if batch else 0
        hint = f"train.micro_batch={fits} fits: an evaluation takes no more at once."
        hint = hint if fits else _NOT_ONE
    return memory.explain(error, world.device, doing, hint)


_NOT_ONE = (
    "No smaller batch fits: a smaller model, or more memory (resources.mem, another GPU, "
    "several with train.strategy=fsdp)."
)


def _advice(engine: Engine, fits: int) -> str:
    if not fits:
        return _NOT_ONE
    mixes = any(batch_norm.layers(net) for net in engine.bare.values())
    result = "other statistics of batch norm" if mixes else "the same result"
    advice = f"train.micro_batch={fits} fits: the step is then computed in parts, with {result}"
    if mixes:
        advice += ", which more ranks and train.sync_batch_norm=true leave as they are"
    return f"{advice}."


def _given(batches: Callable[[], list[Batch]]) -> list[Batch]:
    """The batches; none, where there is no memory even for these."""
    try:
        return batches()
    except memory.KINDS as error:
        if not memory.ran_out(error):
            raise
        return []


def _count(batch: Batch) -> int:
    return len(batch["index"])


def _most_of_a_step(engine: Engine, batch: Batch) -> int:
    """The most examples of `batch`, halved again and again, of which each player's turn fits."""
    _leave_the_others(engine)
    turns = engine.architecture.updates(engine.step)

    def step(some: Batch) -> None:
        held = list(_still_to_come(engine))
        for name in turns:
            with _learning_alone(engine, name):
                engine.architecture.loss(engine.bare, some, name).total.backward()
        del held

    return _most(batch, step, engine.bare)


def _most_of_an_evaluation(engine: Engine, measure: Measure, batch: Batch) -> int:
    nets = engine.best_nets

    def look(some: Batch) -> None:
        with evaluating(nets), torch.no_grad():
            measure(nets, some)

    return _most(batch, look, nets)


def _most(batch: Batch, work: Callable[[Batch], None], nets: Mapping[str, nn.Module]) -> int:
    count = _count(batch) // 2
    while count and not _fits(part(batch, slice(count)), work, nets):
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


def _leave_the_others(engine: Engine) -> None:
    """Give the networks parameters of which DDP knows nothing, and statistics of their own.

    DDP has hooks on the parameters it was given, which sum up their gradients over the ranks.
    """
    for player in engine.players.values():
        player.optimizer.zero_grad()
    for net in engine.bare.values():
        batch_norm.separate(net)
        again: dict[int, nn.Parameter] = {}
        for module in net.modules():
            for name, old in list(module.named_parameters(recurse=False)):
                new = again.setdefault(id(old), nn.Parameter(old.detach(), old.requires_grad))
                setattr(module, name, new)


def _still_to_come(engine: Engine) -> Iterator[Tensor]:
    """As much as a later step will hold beside its activations, and this one does not yet.

    The gradients of the micro-batches before, what an optimizer remembers after its first step, and
    what the ranks exchange.
    """
    for name, player in engine.players.items():
        for parameter in engine.bare[name].parameters():
            if parameter.requires_grad:
                parameter.grad = torch.ones_like(parameter)
                for _ in range(_moments(player) + _buckets(engine, name)):
                    yield torch.ones_like(parameter)


def _moments(player: Player) -> int:
    """How many numbers a parameter the optimizer has still to allocate."""
    options = player.optimizer.defaults
    if player.optimizer.state:
        return 0
    return 2 if "betas" in options else int(options["momentum"] > 0)


def _buckets(engine: Engine, name: str) -> int:
    """How many numbers a parameter the ranks' exchange of gradients has still to allocate."""
    alone = engine.world.size == 1
    return int(not alone and not isinstance(engine.nets[name], DistributedDataParallel))


@contextlib.contextmanager
def _learning_alone(engine: Engine, name: str) -> Iterator[None]:
    """Freeze the other players, as in a turn."""
    others = [
        parameter
        for other, net in engine.bare.items()
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
