"""The epochs: a generator of events, in which a position is the number of steps taken.

Nothing is remembered between two steps that is not in `Engine.state` or `Patience`: the epoch and
the place in it follow from the step, and so does the order of the samples.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hpc_dl.data.batches import Batches
from hpc_dl.train.early_stopping import Patience
from hpc_dl.train.engine import Engine
from hpc_dl.train.metric_accumulator import BadTurn


@dataclass(frozen=True)
class Stepped:
    """A report within an epoch: means since the last one."""

    step: int
    epoch: int
    values: dict[str, float]


@dataclass(frozen=True)
class Evaluated:
    """The held-out metrics at the end of an epoch; `improved` by the monitored metric."""

    step: int
    epoch: int
    values: dict[str, float]
    improved: bool


@dataclass(frozen=True)
class Boundary:
    """A step after which to save, or to stop, is due."""

    step: int
    asked: int
    """What the ranks were asked for; see `signals`."""


@dataclass(frozen=True)
class NonFinite:
    """A turn whose loss was not finite."""

    turn: BadTurn


@dataclass(frozen=True)
class Cadence:
    """How long to train, how often to report, and after which steps to save or stop."""

    steps: int
    steps_per_epoch: int
    log_every: int
    examples_seen: Callable[[int], int]
    saves: Callable[[int], bool]
    pause_at: int | None = None


def train(
    engine: Engine,
    batches: Batches,
    evaluate: Callable[[], dict[str, float]],
    patience: Patience,
    cadence: Cadence,
) -> Iterator[Stepped | NonFinite | Evaluated | Boundary]:
    """Train from where the engine stands to the end, or until patience is exhausted.

    Upon `NonFinite` the engine may be put elsewhere; the loop goes on from there.
    """
    while engine.step < cadence.steps and not patience.exhausted:
        epoch, first = divmod(engine.step, cadence.steps_per_epoch)
        since, started = engine.step, time.perf_counter()
        for micro_batches in batches.steps(epoch, first):
            number = engine.step + 1
            in_epoch = number - epoch * cadence.steps_per_epoch
            if engine.carry and in_epoch == 1:
                engine.carry.reset()
            ends = in_epoch == cadence.steps_per_epoch or number == cadence.steps
            reports = ends or in_epoch % cadence.log_every == 0
            saves = cadence.saves(number) or number == cadence.pause_at
            asked, bad = engine.play(micro_batches, batches.filler, reports)
            if bad:
                yield NonFinite(bad)
                if engine.step != number:
                    break
            if reports:
                values = engine.report()
                seconds = time.perf_counter() - started
                examples = cadence.examples_seen(engine.step) - cadence.examples_seen(since)
                values["train/examples_per_second"] = examples / seconds
                yield Stepped(engine.step, epoch, values)
                since, started = engine.step, time.perf_counter()
            if ends:
                found = evaluate()
                improved = patience.see(engine.step, found)
                yield Evaluated(engine.step, epoch, found, improved)
            if asked or saves or cadence.saves(number):  # the last epoch may have been the best
                yield Boundary(engine.step, asked)
                started = time.perf_counter()
            if ends:
                break
