"""Spectrograms of recordings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from hpc_dl.tasks.artifacts import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 4
DECIBELS = 70.0
"""From the loudest to what is drawn as silence."""
_SECONDS = 0.025
"""Of a frame."""


def grid(recordings: Sequence[Tensor], rate: float, titles: Sequence[str], caption: str) -> Picture:
    """Draw the spectrogram of each recording (T,), with its title."""
    from hpc_dl.tasks.pictures.plain_text import PlainFigure

    columns = min(COLUMNS, len(recordings))
    rows = math.ceil(len(recordings) / columns)
    drawing = PlainFigure(figsize=(2.6 * columns, 1.7 * rows + 0.4), dpi=130, layout="constrained")
    axes = drawing.subplots(rows, columns, squeeze=False).flatten()
    for axis in axes[len(recordings) :]:
        axis.set_axis_off()
    for axis, samples, title in zip(axes, recordings, titles, strict=False):
        draw(axis, samples, rate)
        axis.set_title(title, fontsize=8)
    return Picture(drawing, caption)


def draw(axis: Axes, samples: Tensor, rate: float) -> None:
    """Draw the spectrogram of a recording (T,), seconds to the right and kHz up."""
    import torch

    size = max(round(rate * _SECONDS), 4)
    hop = max(len(samples) // 400, size // 4)
    spectrum = torch.stft(
        samples.cpu().float(),
        size,
        hop,
        window=torch.hann_window(size),
        pad_mode="constant",
        return_complex=True,
    ).abs()
    decibels = 20 * (spectrum + 1e-6).log10()
    top = float(decibels.max())
    axis.imshow(
        decibels.numpy(),
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=top - DECIBELS,
        vmax=top,
        extent=(0, len(samples) / rate, 0, rate / 2000),
    )
    axis.tick_params(labelsize=7)
    axis.set_xlabel("s", fontsize=7, labelpad=0)
    axis.set_ylabel("kHz", fontsize=7, labelpad=0)
