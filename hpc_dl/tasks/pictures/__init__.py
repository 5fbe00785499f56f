"""Pictures, drawn by matplotlib without pyplot: nothing is global."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty figure of so many inches, and its one axis."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(width, height), dpi=130, layout="constrained")
    return drawing, drawing.subplots()


def labels(names: Iterable[str]) -> list[str]:
    """Escape a user's names for matplotlib, to which text between dollars is a formula and a name
    that begins with `_` is left out of legends.
    """
    shown = (f" {name}" if name.startswith("_") else name for name in names)
    return [name.replace("$", r"\$") for name in shown]
