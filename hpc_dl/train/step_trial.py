"""A step on a few made examples, on the CPU: what a rank computes in a training step, a validation
and a prediction, so that it fails at submission, if it does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from hpc_dl import tasks
from hpc_dl.data.transforms import augmentation
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import UserAugment
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.optimizers import Muon, TorchOptimizer, UserOptimizer
from hpc_dl.jobspec.schedules import UserSchedule
from hpc_dl.planning import planner
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.tasks.contract import Batch, Task, take
from hpc_dl.train import made_batch, module_trial, muon, optim, optimizer_trial
from hpc_dl.train.carry import Carry
from hpc_dl.train.engine import Engine
from hpc_dl.train.evaluate import evaluating
from hpc_dl.train.player import Player
from hpc_dl.train.schedules import learning_rate
from hpc_dl.train.world import World
from hpc_dl.user_code import failures
from hpc_dl.zoo import build
from hpc_dl.zoo.contract import Architecture
from hpc_dl.zoo.modules import PlainModule

EXAMPLES = 4
LARGE = 2**26
"""Parameters beyond which no step is taken: it would take gigabytes of the login node."""
SIMULATED = 1000
"""How far a schedule of torch is followed, and at how many steps one of a user is tried."""
ROUNDING = 1e-9
"""How far below 0 a schedule of torch may end, as a share of the peak."""


def run(spec: JobSpec, facts: DataFacts, code: Path) -> list[str]:
    """Take a step, and return notes for the plan.

    Errors come through as they are; SpecConflict is raised for what does not fit, with its place.
    """
    batch, notes = made_batch.make(facts, EXAMPLES), list[str]()
    with _at("data.augment", spec.data.augment):
        batch = _augmented(spec, facts, code, batch, notes)
    with _at("train.loss", spec.train.loss):
        task = tasks.build(facts, spec.train, batch, code)
        notes += _try_loss(spec, facts, task, batch)
    with _at("train.schedule", spec.train.schedule):
        rate = _try_schedule(spec, facts, code, notes)
    with _at("model.name", spec.model):
        architecture = build(spec.model, facts, code, task)
        if (size := _parameters(architecture)) > LARGE:
            return [*notes, f"no step was tried: {spec.model.name} has {size:,} parameters"]
        networks = architecture.networks()
    players = {}
    for name, network in networks.items():
        with _at("train.optimizer", spec.train.optimizer):
            if isinstance(spec.train.optimizer, TorchOptimizer | UserOptimizer):
                notes += optimizer_trial.run(spec.train.optimizer, network, code)
            if isinstance(spec.train.optimizer, Muon):
                notes.append(muon.describe(network))
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
    except Exception as error:
        if failures.frames(error):
            raise
        is_told = isinstance(error, RuntimeError | TypeError | ValueError)
        text = str(error) if is_told else f"{type(error).__name__}: {error}"
        raise SpecConflict(key, f"{part.name}: {text}") from None


def _augmented(
    spec: JobSpec, facts: DataFacts, code: Path, batch: Batch, notes: list[str]
) -> Batch:
    """Return an augmented batch, and add notes. Raises UserError for a user's augmentation that
    makes NaN, or draws what a run that is resumed could not draw again."""
    options, name = spec.data.augment, facts.modality
    if options is None:
        return batch
    change = augmentation(options, name, torch.device("cpu"), code)

    def of(batch: Batch) -> Batch:
        copies = {key: it.clone() for key, it in batch.items()}
        (changed,) = change.of([copies], (spec.train.seed,))
        return changed

    whole = of(batch)
    if not isinstance(options, UserAugment):
        return whole
    if not whole[name].isfinite().all():
        raise UserError(f"{options.name} makes NaN or infinities of finite inputs")
    if not torch.equal(whole[name], of(batch)[name]):
        raise UserError(
            f"{options.name} returned other inputs as it was called again with the same seed",
            hint="Draw by torch, numpy.random or random, whose seeds follow from epoch and step, "
            "not by a generator, a counter or a clock of your own: a run that is resumed draws the "
            "same again.",
        )
    of(take(batch, slice(EXAMPLES - 1)))  # as many as no batch size
    others = {**batch, name: torch.cat([batch[name][:1], batch[name][1:].flip(0)])}
    if not torch.equal(whole[name][:1], of(others)[name][:1]):
        notes.append(
            f"{options.name}: what becomes of an example depends on the others of its batch; "
            "labels and targets stay where they are"
        )
    return {**whole, name: whole[name].detach()}


def _try_loss(spec: JobSpec, facts: DataFacts, task: Task | None, batch: Batch) -> list[str]:
    """Compute the loss that the spec names, of made outputs: of a batch, and of its parts."""
    if task is None or spec.train.loss is None:
        return []
    steps = batch[facts.modality].shape[1:2] if task.of_steps else ()
    generator = torch.Generator().manual_seed(0)
    made = torch.randn(EXAMPLES, *steps, task.outputs, generator=generator, requires_grad=True)
    outputs, given = made.clone(), {name: it.clone() for name, it in batch.items()}
    whole = task.loss(outputs, given).total
    if not torch.equal(outputs, made) or not all(torch.equal(given[it], batch[it]) for it in batch):
        raise UserError(
            f"{spec.train.loss.name} changes the outputs or targets that it is given, by which "
            "metrics are measured, too",
            hint="Change a copy: `a = a - b`, not `a -= b`.",
        )
    if not whole.requires_grad or not torch.autograd.grad(whole, made)[0].any():
        raise UserError(f"{spec.train.loss.name} has no gradient for the outputs")
    halves = slice(EXAMPLES // 2), slice(EXAMPLES // 2, None)
    parts = [task.loss(made[half].clone(), take(batch, half)).total for half in halves]
    if torch.allclose(whole, torch.stack(parts).sum(), rtol=1e-3, equal_nan=True):
        return []
    return [
        f"{spec.train.loss.name}: the loss of an example depends on the others of its batch, or on "
        "random numbers: it is another on several ranks, or with micro-batches"
    ]


def _try_schedule(spec: JobSpec, facts: DataFacts, code: Path, notes: list[str]) -> float:
    """Return the learning rate of the first step, and add notes."""
    given, schedule = spec.train.optimizer.lr, spec.train.schedule
    per_epoch, steps = planner.length(spec, facts)
    peak = 1.0 if given == "auto" else given
    rate = learning_rate(schedule, peak, steps, per_epoch, code)
    last = steps - 1 if isinstance(schedule, UserSchedule) else min(steps, SIMULATED) - 1
    chosen = sorted({last * number // SIMULATED for number in range(SIMULATED + 1)})
    there, back = ([rate(step) for step in it] for it in (chosen, chosen[::-1]))
    if there != back[::-1]:
        raise UserError(
            f"{schedule.name} returned other numbers for the same steps",
            hint="A run that is resumed begins in the middle: let them depend on the step alone.",
        )
    for step, value in zip(chosen, there, strict=True):
        if not -ROUNDING * peak <= value < math.inf:
            raise UserError(f"{schedule.name} has a learning rate of {value} at step {step}")
    if not max(there):
        raise UserError(f"{schedule.name} has a learning rate of 0 at every step that was tried")
    if isinstance(schedule, UserSchedule) and not 0.1 <= (share := max(there) / peak) <= 10:
        notes.append(
            f"{schedule.name}: the highest learning rate is {share:g} times train.optimizer.lr: "
            "does it return shares of that?"
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
    world, notes = World(0, 1, torch.device("cpu")), list[str]()
    carry = Carry(world, EXAMPLES, EXAMPLES) if spec.data.carries_state else None
    engine = Engine(architecture, players, None, world, spec.train, carry)
    before = {name: it.clone() for name, it in batch.items()}
    plain = architecture if isinstance(architecture, PlainModule) else None
    kept = module_trial.shapes(engine.nets) if plain else {}
    if plain:
        notes += module_trial.check_gradient(plain, engine.nets, batch)
    skipped = engine.train_step([batch], lambda: batch, report=True)
    if skipped:
        notes.append(f"the loss of a step that was tried, on random numbers, is {skipped.total}")
    if plain is None:
        return notes
    module_trial.check_shapes(spec.model.name, kept, module_trial.shapes(engine.nets))
    with evaluating(engine.evaluation_nets), torch.no_grad():
        notes += module_trial.watch(plain, engine.evaluation_nets, batch)
    if not all(torch.equal(it, before[name]) for name, it in batch.items()):
        raise UserError(
            f"{spec.model.name} changes the inputs that it is given, which pictures and other "
            "metrics are made of, too",
            hint="Change a copy: `x = x * 2`, not `x *= 2` or `x.mul_(2)`.",
        )
    return notes
