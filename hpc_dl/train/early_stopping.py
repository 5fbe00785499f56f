"""Early stopping and the best checkpoint, both by the monitored metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec import train
from hpc_dl.jobspec.metrics import GOALS, Goal
from hpc_dl.zoo.contract import MonitoredMetric

LOSS = "loss"


@dataclass(frozen=True)
class Evaluation:
    """The validation metrics after a step, which is None in checkpoints of old versions."""

    step: int | None
    values: Mapping[str, float]


class EarlyStopping:
    """Compares evaluations by the monitored metric, for the best checkpoint and early stopping.

    The best checkpoint has the best value; of equal ones the lowest loss, then the latest. Its loss
    is finite: outputs that are NaN are taken for the first class, and may often be right. Early
    stopping counts the epochs without an improvement by more than `min_delta`.
    """

    def __init__(
        self,
        default: MonitoredMetric | None,
        rule: train.EarlyStopping | None,
        monitor: str | None = None,
    ) -> None:
        self.metric = monitor or (default.metric if default else None)
        self.named_by = "checkpoint.monitor" if monitor else "monitored, of the network"
        self.rule = rule
        self.goal: Goal | None = GOALS.get(self.metric or "")
        if default and default.metric == self.metric:
            self.goal = default.goal
        self.best: Evaluation | None = None
        self.newest: Evaluation | None = None
        self.reference: float | None = None
        """The value that has to improve by more than `min_delta`."""
        self.idle_epochs = 0

    def update(self, step: int, values: Mapping[str, float]) -> bool:
        """Add an evaluation, and return whether it is the best so far.

        Raises UserError where the monitored metric is not among the values.
        """
        if not values:
            return False
        self.newest = Evaluation(step, values)
        if self.metric is None:
            return False
        by = self._monitored(self.metric, values)
        value = values[by.metric] if math.isfinite(values.get(LOSS, 0.0)) else math.nan
        self._count(by, value)
        improved = math.isfinite(value) and self._is_best(by, values)
        if improved:
            self.best = self.newest
        return improved

    def _monitored(self, metric: str, values: Mapping[str, float]) -> MonitoredMetric:
        """Return the monitored metric, known of a user's network only after an evaluation."""
        if metric not in values:
            raise UserError(
                f"{self.named_by}: the validation has no metric '{metric}'",
                hint=f"It has: {', '.join(values)}.",
                exit_code=EXIT_FAILED,
            )
        if self.goal is None:
            raise UserError(
                f"checkpoint.monitor: whether a low or a high '{metric}' is better is not known",
                hint=f'Say so in your network: monitored = MonitoredMetric("{metric}", "max").',
                exit_code=EXIT_FAILED,
            )
        return MonitoredMetric(metric, self.goal)

    def _count(self, by: MonitoredMetric, value: float) -> None:
        margin = self.rule.min_delta if self.rule else 0.0
        if by.better(value, self.reference, margin):
            self.reference, self.idle_epochs = value, 0
        else:
            self.idle_epochs += 1

    def _is_best(self, by: MonitoredMetric, values: Mapping[str, float]) -> bool:
        if self.best is None:
            return True
        value, before = values[by.metric], self.best.values
        if value != before[by.metric]:
            return by.better(value, before[by.metric])
        return _loss(values) <= _loss(before)

    @property
    def should_stop(self) -> bool:
        """True if early stopping ends the training."""
        return self.rule is not None and self.idle_epochs >= self.rule.patience

    def values_of(self, step: int) -> Mapping[str, float]:
        """Return the validation metrics after a step, if it is the best or newest evaluation."""
        for evaluation in (self.best, self.newest):
            if evaluation and evaluation.step == step:
                return evaluation.values
        return {}

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {
            "best": _plain(self.best),
            "newest": _plain(self.newest),
            "reference": self.reference,
            "idle_epochs": self.idle_epochs,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Load a checkpoint's state; in those of old versions `best` is a number."""
        best = state["best"]
        if isinstance(best, float):
            self.best = Evaluation(None, {str(self.metric): best})
        else:
            self.best = _evaluation(best)
        self.newest = _evaluation(state.get("newest"))
        self.reference = state.get("reference", best if isinstance(best, float) else None)
        self.idle_epochs = int(state["idle_epochs"] or 0)


def _loss(values: Mapping[str, float]) -> float:
    loss = values.get(LOSS, math.inf)
    return math.inf if math.isnan(loss) else loss


def _plain(evaluation: Evaluation | None) -> dict[str, Any] | None:
    return asdict(evaluation) if evaluation else None


def _evaluation(state: Mapping[str, Any] | None) -> Evaluation | None:
    return Evaluation(state["step"], dict(state["values"])) if state else None
