"""Which of two values of a metric is better."""

from __future__ import annotations

from typing import Literal

Goal = Literal["minimize", "maximize"]


def is_better(goal: Goal, value: float, other: float) -> bool:
    """Return whether a value is better than another; NaN never is."""
    return value < other if goal == "minimize" else value > other
