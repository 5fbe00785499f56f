"""Panels of a picture, in rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpc_dl.tasks.artifacts import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 3
INCHES = 10.8
"""The width of a picture."""


@dataclass(frozen=True)
class Panel:
    """A drawing with its own axes."""

    title: str
    draw: Callable[[Axes], None]
    width: int = 1
    """The columns that it takes, of COLUMNS."""
    height: float = 2.2
    """In inches; the highest of a row counts."""


def arrange(panels: Sequence[Panel], caption: str) -> Picture:
    """Draw panels into one picture, from left to right."""
    from hpc_dl.tasks.pictures.plain_text import PlainFigure

    rows = _rows(panels)
    heights = [max(panel.height for panel in row) for row in rows]
    drawing = PlainFigure(figsize=(INCHES, sum(heights) + 0.4), dpi=130, layout="constrained")
    parts = drawing.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)
    for (part,), row in zip(parts, rows, strict=True):
        cells, first = part.add_gridspec(1, COLUMNS), 0
        for panel in row:
            axis = part.add_subplot(cells[0, first : first + panel.width])
            axis.set_title(panel.title, fontsize=8)
            axis.tick_params(labelsize=7)
            panel.draw(axis)
            first += panel.width
    return Picture(drawing, caption)


def _rows(panels: Sequence[Panel]) -> list[list[Panel]]:
    """Divide panels into rows of no more than COLUMNS."""
    rows: list[list[Panel]] = []
    for panel in panels:
        if not rows or sum(it.width for it in rows[-1]) + panel.width > COLUMNS:
            rows.append([])
        rows[-1].append(panel)
    return rows
