"""Pictures of what a network does, drawn by matplotlib without pyplot: nothing is global."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figure(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure of so many inches, and its one axis."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(width, height), dpi=130, layout="constrained")
    return drawing, drawing.subplots()


def labels(names: Iterable[str]) -> list[str]:
    """Names of the user's as matplotlib is to show them.

    To it text between two dollars is a formula, and what begins with `_` has no place in a legend.
    """
    shown = (f" {name}" if name.startswith("_") else name for name in names)
    return [name.replace("$", r"\$") for name in shown]
