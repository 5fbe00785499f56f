"""Which weights a test, a picture or an export is of: said in the same words everywhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Weights:
    """The weights after a step, and why it is these."""

    step: int
    best: bool = False
    """Whether they are of the best checkpoint; else they are the last."""
    averaged: bool = False
    """Whether they are the running average that `train.ema_decay` asks for."""
    monitor: str = ""
    """The metric of validation by which the best checkpoint was chosen."""
    goal: str = ""
    value: float | str | None = None
    """Of that metric; "nan" and "inf" are strings."""

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "described": self.describe()}

    @classmethod
    def from_json(cls, said: Any) -> Weights | None:
        """What an event says of weights; None where it says nothing, or not as documented."""
        if not isinstance(said, Mapping) or not isinstance(said.get("step"), int):
            return None
        types = {"value": int | float | str, "best": bool, "averaged": bool}
        types |= {"step": int, "monitor": str, "goal": str}
        return cls(
            **{name: said[name] for name, it in types.items() if isinstance(said.get(name), it)}
        )

    @property
    def name(self) -> str:
        """In a few words: `averaged weights of step 120`."""
        return f"{'averaged ' if self.averaged else ''}weights of step {self.step}"

    def describe(self) -> str:
        """In one line, with the reason."""
        said = f"{'best checkpoint' if self.best else 'last weights'}: step {self.step}"
        if self.averaged:
            said += ", averaged weights"
        if not self.best or self.value is None:
            return said
        value = self.value if isinstance(self.value, str) else f"{self.value:.4g}"
        which = {"max": "the highest", "min": "the lowest"}.get(self.goal, "the best")
        return f"{said} (validation {self.monitor} {value}, {which})"
