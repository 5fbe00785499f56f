"""Pictures, drawn by matplotlib without pyplot: nothing is global."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpc_dl.tasks.pictures.names import labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BESIDE", "add_legend", "figure", "labels"]

BESIDE = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
"""The place of a legend with names that may be long: right of the axes."""


def figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Return an empty figure of so many inches, and its one axis; no text in it is mathematics."""
    from hpc_dl.tasks.pictures.plain_text import PlainFigure

    drawing = PlainFigure(figsize=(width, height), dpi=130, layout="constrained")
    return drawing, drawing.subplots()


def add_legend(axis: Axes, **options: Any) -> None:
    """Draw a legend, where there is anything to explain: matplotlib warns of an empty one."""
    if axis.get_legend_handles_labels()[0]:
        axis.legend(**{"fontsize": 7, "title_fontsize": 7, **options})
