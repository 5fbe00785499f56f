"""Description of the weights that a test, a picture or an export uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Weights:
    """The weights after a step, and why they were chosen."""

    step: int
    best: bool = False
    """True for the best checkpoint, else they are the last weights."""
    averaged: bool = False
    """True for EMA weights (`train.ema_decay`)."""
    monitor: str = ""
    """The validation metric by which the best checkpoint was chosen."""
    goal: str = ""
    value: float | str | None = None
    """Of that metric; "nan" and "inf" are strings."""

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "described": self.describe()}

    @classmethod
    def from_json(cls, value: Any) -> Weights | None:
        """Parse the weights in an event; None without them, or where they are not as documented."""
        if not isinstance(value, Mapping) or not isinstance(value.get("step"), int):
            return None
        types = {"value": int | float | str, "best": bool, "averaged": bool}
        types |= {"step": int, "monitor": str, "goal": str}
        return cls(
            **{name: value[name] for name, it in types.items() if isinstance(value.get(name), it)}
        )

    @property
    def name(self) -> str:
        """A short name, like `averaged weights of step 120`."""
        return f"{'averaged ' if self.averaged else ''}weights of step {self.step}"

    def describe(self) -> str:
        """Return one line with the reason of the choice."""
        text = f"{'best checkpoint' if self.best else 'last weights'}: step {self.step}"
        if self.averaged:
            text += ", averaged weights"
        if not self.best or self.value is None:
            return text
        value = self.value if isinstance(self.value, str) else f"{self.value:.4g}"
        extreme = {"max": "the highest", "min": "the lowest"}.get(self.goal, "the best")
        return f"{text} (validation {self.monitor} {value}, {extreme})"
