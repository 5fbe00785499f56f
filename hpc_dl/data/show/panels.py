"""Panels of a picture, in rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
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


def and_more(count: int, what: str) -> list[Panel]:
    """Return a panel that says how many more there are, if there are."""
    return [Panel("", partial(_say, text=f"and {count:,} more {what}"))] if count > 0 else []


def _say(axis: Axes, text: str) -> None:
    axis.set_axis_off()
    axis.text(0.5, 0.5, text, ha="center", fontsize=8)


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
            axis.ticklabel_format(useOffset=False)
            for line in (axis.xaxis, axis.yaxis):
                line.get_offset_text().set_fontsize(7)
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
