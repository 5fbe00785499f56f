"""Pictures of what a network does, drawn by matplotlib without pyplot: nothing is global."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figure(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure of so many inches, and its one axis."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(width, height), dpi=130, layout="constrained")
    return drawing, drawing.subplots()
