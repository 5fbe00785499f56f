"""Pictures of attention: what a network reads of a text as it writes each token of another."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from hpc_dl.errors import printable
from hpc_dl.tasks.artifacts import Picture

INCHES_A_TOKEN = 0.24
LONGEST = 60
"""Tokens that are drawn along an axis: thousands are no picture that could be drawn, or read."""
ROOM = 1.2
"""Inches beside a map, for the tokens along its axes."""


def attention_maps(
    weights: Tensor, sources: Sequence[Sequence[str]], written: Sequence[Sequence[str]]
) -> Picture:
    """Draw the weights (N, T, S) in [0, 1] of N texts, a map each: the tokens of a text from left
    to right, those written from top to bottom; what is padding is left out."""
    from hpc_dl.tasks.pictures.plain_text import PlainFigure

    is_cut = any(len(row) > LONGEST for row in (*sources, *written))
    sources, written = ([row[:LONGEST] for row in rows] for rows in (sources, written))
    sizes = [(len(down), len(across)) for down, across in zip(written, sources, strict=True)]
    heights = [down * INCHES_A_TOKEN + ROOM for down, _ in sizes]
    width = max(across for _, across in sizes) * INCHES_A_TOKEN + ROOM
    figure = PlainFigure((max(width, 4), sum(heights)), layout="constrained")
    axes = figure.subplots(len(sizes), squeeze=False, height_ratios=heights)[:, 0]
    for axis, row, across, down in zip(axes, weights, sources, written, strict=True):
        shown = row[: len(down), : len(across)].numpy()
        axis.imshow(shown, cmap="Greys", vmin=0, vmax=1, aspect="equal")
        axis.set_xticks(range(len(across)), list(map(_visible, across)), rotation=90, fontsize=7)
        axis.set_yticks(range(len(down)), list(map(_visible, down)), fontsize=7)
        axis.xaxis.tick_top()
    caption = "What is read (columns) as each token is written (rows)"
    return Picture(figure, f"{caption}, the first {LONGEST} of each" if is_cut else caption)


def _visible(token: str) -> str:
    """Return a token with its blanks and line breaks shown."""
    return printable(token.replace(" ", "_"))
