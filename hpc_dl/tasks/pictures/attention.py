"""Pictures of attention: what a network reads of a text as it writes each token of another."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from torch import Tensor

from hpc_dl.errors import printable
from hpc_dl.tasks.artifacts import Picture

INCHES_A_TOKEN = 0.24
LONGEST = 60
"""Tokens that are drawn along an axis: thousands are no picture that could be drawn, or read."""
ROOM = 1.2
"""Inches beside a map, for the tokens along its axes."""
INCHES_A_LINE, SIGNS_AN_INCH = 0.15, 13


def attention_maps(
    weights: Tensor,
    sources: Sequence[Sequence[str]],
    written: Sequence[Sequence[str]],
    references: Sequence[str],
) -> Picture:
    """Draw the weights (N, T, S) in [0, 1] of N texts, a map each: the tokens of a text from left
    to right, those written from top to bottom, and what should have been written below; what is
    padding is left out."""
    from hpc_dl.tasks.pictures.plain_text import PlainFigure

    is_cut = any(len(row) > LONGEST for row in (*sources, *written))
    sources, written = ([row[:LONGEST] for row in rows] for rows in (sources, written))
    sizes = [(len(down), len(across)) for down, across in zip(written, sources, strict=True)]
    width = max(4, max(across for _, across in sizes) * INCHES_A_TOKEN + ROOM)
    wrapped = [
        textwrap.wrap(f"reference: {printable(text)}", int(width * SIGNS_AN_INCH), max_lines=6)
        for text in references
    ]
    heights = [
        down * INCHES_A_TOKEN + ROOM + len(lines) * INCHES_A_LINE
        for (down, _), lines in zip(sizes, wrapped, strict=True)
    ]
    figure = PlainFigure((width, sum(heights)), layout="constrained")
    axes = figure.subplots(len(sizes), squeeze=False, height_ratios=heights)[:, 0]
    for axis, row, across, down, lines in zip(
        axes, weights, sources, written, wrapped, strict=True
    ):
        shown = row[: len(down), : len(across)].numpy()
        axis.imshow(shown, cmap="Greys", vmin=0, vmax=1, aspect="equal")
        axis.set_xticks(range(len(across)), list(map(_visible, across)), rotation=90, fontsize=7)
        axis.set_yticks(range(len(down)), list(map(_visible, down)), fontsize=7)
        axis.xaxis.tick_top()
        axis.set_xlabel("\n".join(lines), fontsize=8)
    caption = "What is read (columns) as each token is written (rows)"
    return Picture(figure, f"{caption}, the first {LONGEST} of each" if is_cut else caption)


def _visible(token: str) -> str:
    """Return a token with its blanks and line breaks shown."""
    return printable(token.replace(" ", "_"))
