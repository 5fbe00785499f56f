"""A step on a few made examples, on the CPU: what a rank computes in a training step, a validation
and a prediction, so that it fails at submission, if it does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from hpc_dl import tasks
from hpc_dl.data.transforms import augmentation
from hpc_dl.errors import UserError
from hpc_dl.jobspec.base import tag_by_name
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.schedules import UserSchedule
from hpc_dl.planning import plan as planning
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.tasks.contract import Batch, Task, take
from hpc_dl.train import made_batch, optim
from hpc_dl.train.carry import Carry
from hpc_dl.train.engine import Engine
from hpc_dl.train.evaluate import evaluating
from hpc_dl.train.player import Player
from hpc_dl.train.schedules import learning_rate
from hpc_dl.train.world import World
from hpc_dl.zoo import build
from hpc_dl.zoo.contract import Architecture, Nets
from hpc_dl.zoo.modules import PlainModule

EXAMPLES = 4
LARGE = 2**26
"""Parameters beyond which no step is taken: it would take gigabytes of the login node."""
SIMULATED = 1000
"""How far a schedule of torch is followed."""


def run(spec: JobSpec, facts: DataFacts, code: Path) -> list[str]:
    """Take a step, and return notes for the plan.

    Errors come through as they are; SpecConflict is raised for what does not fit, with its place.
    """
    batch = made_batch.make(facts, EXAMPLES)
    with _at("data.augment", spec.data.augment):
        batch = _augmented(spec, facts, code, batch)
    with _at("train.loss", spec.train.loss):
        task = tasks.build(facts, spec.train, batch, code)
        notes = _try_loss(spec, facts, task, batch)
    with _at("train.schedule", spec.train.schedule):
        rate = _try_schedule(spec, facts, code)
    with _at("model.name", spec.model):
        architecture = build(spec.model, facts, code, task)
        if (size := _parameters(architecture)) > LARGE:
            return [*notes, f"no step was tried: {spec.model.name} has {size:,} parameters"]
        networks = architecture.networks()
    players = {}
    for name, network in networks.items():
        with _at("train.optimizer", spec.train.optimizer):
            optimizer = optim.optimizer(spec.train.optimizer, network, code)
        players[name] = Player(network, optimizer, lambda _: rate)
    with _at("model.name", spec.model):
        return notes + _take(spec, architecture, players, batch)


@contextmanager
def _at(key: str, part: Any) -> Iterator[None]:
    """Show what is wrong with a part of the spec at its place; errors in a user's code have their
    own."""
    try:
        yield
    except SpecConflict:
        raise
    except UserError as error:
        raise SpecConflict(key, error.message, error.hint) from None
    except (RuntimeError, TypeError, ValueError, ZeroDivisionError) as error:
        if tag_by_name(part) == "own":
            raise
        raise SpecConflict(key, f"{part.name}: {error}") from None


def _augmented(spec: JobSpec, facts: DataFacts, code: Path, batch: Batch) -> Batch:
    if spec.data.augment is None:
        return batch
    change = augmentation(spec.data.augment, facts.modality, torch.device("cpu"), code)
    (changed,) = change.of([batch], (spec.train.seed,))
    return changed


def _try_loss(spec: JobSpec, facts: DataFacts, task: Task | None, batch: Batch) -> list[str]:
    """Compute the loss that the spec names, of made outputs: of a batch, and of its parts."""
    if task is None or spec.train.loss is None:
        return []
    steps = batch[facts.modality].shape[1:2] if task.of_steps else ()
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(EXAMPLES, *steps, task.outputs, generator=generator, requires_grad=True)
    whole = task.loss(outputs, batch).total
    if not whole.requires_grad:
        raise UserError(f"{spec.train.loss.name} has no gradient for the outputs")
    halves = slice(EXAMPLES // 2), slice(EXAMPLES // 2, None)
    parts = [task.loss(outputs[half], take(batch, half)).total for half in halves]
    if torch.allclose(whole, torch.stack(parts).sum(), rtol=1e-3, equal_nan=True):
        return []
    return [
        f"{spec.train.loss.name}: the loss of an example depends on the others of its batch, or on "
        "random numbers: it is another on several ranks, or with micro-batches"
    ]


def _try_schedule(spec: JobSpec, facts: DataFacts, code: Path) -> float:
    """Return the learning rate of the first step."""
    given = spec.train.optimizer.lr
    per_epoch, steps = planning.length(spec, facts)
    peak = 1.0 if given == "auto" else given
    rate = learning_rate(spec.train.schedule, peak, steps, per_epoch, code)
    last = steps - 1 if isinstance(spec.train.schedule, UserSchedule) else min(steps, SIMULATED) - 1
    chosen = sorted({0, last // 2, last})
    there, back = ([rate(step) for step in it] for it in (chosen, chosen[::-1]))
    if there != back[::-1]:
        raise UserError(
            f"{spec.train.schedule.name} returned other numbers for the same steps",
            hint="A run that is resumed begins in the middle: let them depend on the step alone.",
        )
    return there[0]


def _parameters(architecture: Architecture) -> int:
    """Count the parameters without memory for them; 0 where the networks cannot be built so."""
    try:
        with torch.device("meta"):
            networks = architecture.networks()
    except Exception:
        return 0
    return sum(it.numel() for network in networks.values() for it in network.parameters())


def _take(
    spec: JobSpec, architecture: Architecture, players: dict[str, Player], batch: Batch
) -> list[str]:
    """Take a step, and of a user's module measure and predict; return notes."""
    world, notes = World(0, 1, torch.device("cpu")), []
    carry = Carry(world, EXAMPLES, EXAMPLES) if spec.data.carries_state else None
    engine = Engine(architecture, players, None, world, spec.train, carry)
    skipped = engine.train_step([batch], lambda: batch, report=True)
    if skipped:
        notes.append(f"the loss of a step that was tried, on random numbers, is {skipped.total}")
    if not isinstance(architecture, PlainModule):
        return notes
    with evaluating(engine.evaluation_nets), torch.no_grad():
        return notes + _watch(architecture, engine.evaluation_nets, batch)


def _watch(module: PlainModule, nets: Nets, batch: Batch) -> list[str]:
    """Measure and predict by a user's module; return a note if padding changes its outputs.

    Raises UserError if what it is to predict does.
    """
    name, task = module.facts.modality, module.task
    module.measure(nets, take(batch, slice(1)))
    if task.causal:
        last = batch[name][:, -1:]
        other = (last + 1) % task.outputs if name == "text" else 1 - last
        changed = {**batch, name: torch.cat([batch[name][:, :-1], other], dim=1)}
        before, after = (module.outputs(nets, it)[:, :-1] for it in (batch, changed))
        if not torch.allclose(before, after, rtol=1e-3, atol=1e-5):
            raise UserError(
                f"{module.options.name} returns for a step what depends on later ones, which it is "
                "to predict",
                hint="Let each step see those before it alone: a causal mask, or one direction.",
            )
    else:
        module.predict(nets, module.inputs(batch))
    if f"{name}_length" not in batch:
        return []
    padded = take(batch, slice(-1, None))
    length = int(padded[f"{name}_length"])
    alone = {**padded, name: padded[name][:, :length]}
    within, without = module.outputs(nets, padded), module.outputs(nets, alone)
    within = within[:, :length] if task.of_steps else within
    if torch.allclose(within, without, rtol=1e-3, atol=1e-5):
        return []
    return [
        f"{module.options.name}: how much an example is padded, to the length of others of its "
        "batch, changes the outputs"
    ]
