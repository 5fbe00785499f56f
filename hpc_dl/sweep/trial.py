"""The trials of a sweep, their parts, and the results of these."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

State = Literal["completed", "paused", "pruned", "failed", "cancelled"]
"""How a part ends; `paused` at its rung, to be promoted or not."""


@dataclass(frozen=True)
class Trial:
    """A trial: the job spec with other values."""

    number: int
    """From 1 on; that of its run, too."""
    values: dict[str, Any]
    """The values of the swept options, by their keys: `train.optimizer.lr`."""
    seed: int | None = None
    """`train.seed`, where the sweep has several of each configuration."""
    configuration: int = 0
    """From 1 on: the trials of one configuration differ in their seed alone."""


class Unit(NamedTuple):
    """What a task takes at once: a trial, or its part up to the end of a rung, from 0 on."""

    trial: int
    rung: int = 0


@dataclass(frozen=True)
class Result:
    """The result of a unit."""

    trial: int
    rung: int
    state: State
    value: float | None = None
    """The best value of the sweep's metric so far; None where none was measured."""
    step: int = 0
    """How many steps the trial has trained."""
    epoch: int = 0
    seconds: float = 0.0
    """Of training, in all parts of the trial up to this one, and all attempts at them."""
    reason: str = ""
    job_id: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    """All metrics of the validation, and of the test once it is complete."""

    def ended(self, state: State, reason: str, job_id: str) -> Result:
        """Return the result with how the unit has ended, and in which job."""
        return replace(self, state=state, reason=reason, job_id=job_id)

    @property
    def unit(self) -> Unit:
        return Unit(self.trial, self.rung)
