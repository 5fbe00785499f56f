"""Piano rolls as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from hpc_dl.jobspec.notes import LOWEST, NAMES
from hpc_dl.tasks.artifacts import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OCTAVES = range(3, len(NAMES), 12)
"""The keys called C."""
HEIGHT = 2.2
"""Inches of a piece."""


def compare(
    true: Sequence[Tensor], written: Sequence[Tensor], given: Sequence[int], rate: float
) -> Picture:
    """Draw true pieces, (frames, 88) each, above those that a network has continued after so many
    `given` frames, of which there are `rate` a second."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, HEIGHT * 2 * len(true)), layout="constrained")
    axes = figure.subplots(2 * len(true), 1, squeeze=False, sharex=True)[:, 0]
    for number, end in enumerate(given):
        pair = {"true": true[number], "continued": written[number]}
        for axis, (name, piece) in zip(axes[2 * number :], pair.items(), strict=False):
            draw(axis, piece, rate)
            axis.axvline(end / rate, color="tab:red", linewidth=1)
            axis.set_ylabel(f"{number + 1}, {name}")
    axes[0].set_xlim(0, max(map(len, [*true, *written])) / rate)
    axes[-1].set_xlabel("seconds")
    return Picture(figure, "True pieces, and the network's from the red line on")


def draw(axis: Axes, piece: Tensor, rate: float) -> None:
    """Draw a piece (frames, 88) of `rate` frames a second."""
    sounding = piece.any(0).nonzero()[:, 0].tolist() or [len(NAMES) // 2]
    extent = (0, len(piece) / rate, LOWEST - 0.5, LOWEST + len(NAMES) - 0.5)
    axis.imshow(
        piece.T.cpu().numpy(),
        "Greys",
        aspect="auto",
        interpolation="nearest",
        origin="lower",
        extent=extent,
        vmin=0,
        vmax=1,
    )
    axis.set_yticks([it + LOWEST for it in OCTAVES], [NAMES[it] for it in OCTAVES])
    axis.set_ylim(sounding[0] + LOWEST - 2, sounding[-1] + LOWEST + 2)
