"""The job specs that are shipped: one an architecture, with what it is known to train well with."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent.parent / "recipes"


def path(name: str) -> Path:
    """The job spec of an architecture of the zoo."""
    return FOLDER / f"{name}.yaml"
