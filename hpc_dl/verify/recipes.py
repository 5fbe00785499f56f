"""Recipes: the shipped job specs, one for each architecture, with options that train well."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent.parent / "recipes"


def path(name: str) -> Path:
    """Return the job spec of an architecture."""
    return FOLDER / f"{name}.yaml"
