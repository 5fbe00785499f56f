"""The epochs: a generator of events, in which a position is the number of steps taken.

Nothing is remembered between two steps that is not in `Engine.state` or `Patience`: the epoch and
the place in it follow from the step, and so does the order of the samples.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hpc_dl.data.batches import Batches
from hpc_dl.spec.job import EarlyStopping
from hpc_dl.train.engine import Engine
from hpc_dl.train.tally import BadTurn
from hpc_dl.zoo.contract import Headline


@dataclass(frozen=True)
class Stepped:
    """A report within an epoch: means since the last one."""

    step: int
    epoch: int
    values: dict[str, float]


@dataclass(frozen=True)
class Evaluated:
    """The held-out metrics at the end of an epoch; `improved` by the headline metric."""

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


@dataclass
class Patience:
    """The best headline metric so far, and for how many epochs there was no better one."""

    headline: Headline | None
    rule: EarlyStopping | None
    best: float | None = None
    idle_epochs: int = 0

    def see(self, values: dict[str, float]) -> bool:
        """Take note of an evaluation; whether it is the best so far."""
        margin = self.rule.min_delta if self.rule else 0.0
        value = values.get(self.headline.metric) if self.headline else None
        if self.headline is None or value is None:
            return False
        improved = self.headline.better(value, self.best, margin)
        self.best = value if improved else self.best
        self.idle_epochs = 0 if improved else self.idle_epochs + 1
        return improved

    @property
    def exhausted(self) -> bool:
        return self.rule is not None and self.idle_epochs >= self.rule.patience

    def state(self) -> dict[str, float | int | None]:
        return {"best": self.best, "idle_epochs": self.idle_epochs}

    def load(self, state: dict[str, float | int | None]) -> None:
        self.best = state["best"]
        self.idle_epochs = int(state["idle_epochs"] or 0)


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
                held_out = evaluate()
                yield Evaluated(engine.step, epoch, held_out, patience.see(held_out))
            if asked or saves or cadence.saves(number):  # the last epoch may have been the best
                yield Boundary(engine.step, asked)
                started = time.perf_counter()
            if ends:
                break
