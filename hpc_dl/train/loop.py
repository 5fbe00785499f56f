"""The training loop: a generator of events, whose position is the number of steps taken.

Nothing is remembered between two steps that is not in `Engine.state` or `EarlyStopping.state`: the
epoch and the place in it follow from the step, and so does the order of the samples.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hpc_dl.data.sampler import Batches
from hpc_dl.planning.plan import Plan
from hpc_dl.train.early_stopping import EarlyStopping
from hpc_dl.train.engine import Engine, NonFiniteUpdate
from hpc_dl.usage.usage import DATA


@dataclass(frozen=True)
class Reported:
    """Training metrics: means since the last report, at the step `since`."""

    since: int
    step: int
    epoch: int
    values: dict[str, float]


@dataclass(frozen=True)
class Evaluated:
    """Validation metrics at the end of an epoch; `improved` by the monitored metric."""

    step: int
    epoch: int
    values: dict[str, float]
    improved: bool


@dataclass(frozen=True)
class CheckpointDue:
    """A step after which to save, and maybe to stop."""

    step: int
    requests: int
    """Of all ranks; see `control`."""


@dataclass(frozen=True)
class NonFinite:
    """A loss that was not finite."""

    update: NonFiniteUpdate


def train(
    engine: Engine,
    batches: Batches,
    evaluate: Callable[[], dict[str, float]],
    early_stopping: EarlyStopping,
    plan: Plan,
    is_checkpoint_due: Callable[[int], bool],
    log_every: int,
    after_step: Callable[[], None] = lambda: None,
) -> Iterator[Reported | NonFinite | Evaluated | CheckpointDue]:
    """Train from the engine's step to the end, a pause, or early stopping; yield what happens.

    Upon `NonFinite` the engine may be put at another step; the loop goes on from there.
    """
    last = min(plan.pause_at or plan.steps, plan.steps)
    phases = engine.world.phases
    while engine.step < last and not early_stopping.should_stop:
        since, started, waited = engine.step, time.perf_counter(), phases.seconds_of(DATA)
        for micro_batches in phases.each(DATA, batches.training_steps(engine.step, last)):
            epoch, in_epoch = divmod(engine.step, plan.steps_per_epoch)
            step, in_epoch = engine.step + 1, in_epoch + 1
            if engine.carry and in_epoch == 1:
                engine.carry.reset()
            ends = in_epoch == plan.steps_per_epoch or step == plan.steps
            reports = ends or in_epoch % log_every == 0
            saves = is_checkpoint_due(step) or step == last
            skipped = engine.train_step(micro_batches, batches.dummy_batch, reports)
            del micro_batches  # before the next are made: there is room for one step's
            after_step()
            if skipped:
                yield NonFinite(skipped)
                if engine.step != step:
                    break
            if reports:
                values = engine.report()
                seconds = time.perf_counter() - started
                examples = plan.examples_seen(step) - plan.examples_seen(since)
                values["train/examples_per_second"] = examples / seconds
                waited, before = phases.seconds_of(DATA), waited
                values["train/waiting_percentage"] = 100 * (waited - before) / seconds
                yield Reported(since, step, epoch, values)
                since, started = step, time.perf_counter()
            if ends:
                found = evaluate()
                improved = early_stopping.update(step, found)
                yield Evaluated(step, epoch, found, improved)
            requests = engine.world.requests.total
            if requests or saves or is_checkpoint_due(step):  # the last epoch may be the best
                held = time.perf_counter()
                yield CheckpointDue(step, requests)
                started += time.perf_counter() - held
            if ends:
                if early_stopping.should_stop:
                    break
                since, started, waited = step, time.perf_counter(), phases.seconds_of(DATA)
