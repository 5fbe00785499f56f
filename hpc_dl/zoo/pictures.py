"""Pictures of what a network does: grids of images with a title and labelled rows.

matplotlib is used without pyplot, so nothing is global and no display is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from hpc_dl.zoo.contract import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES_A_CELL = 0.55


def grid(
    images: Tensor,
    columns: int,
    caption: str,
    rows: Sequence[str] = (),
    cells: Sequence[str] = (),
) -> Picture:
    """Images (N, C, H, W) in [0, 1], row by row; `rows` names the rows, `cells` each image."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = -(-len(images) // columns)
    margin = 0.16 * max((len(row) for row in rows), default=0) / 2
    size = (columns * INCHES_A_CELL + margin, height * INCHES_A_CELL * (1.35 if cells else 1) + 0.4)
    figure = Figure(figsize=(max(size[0], 3.5), size[1]), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(height, columns, squeeze=False)
    for number, axis in enumerate(axes.flat):
        _bare(axis)
        if number < len(images):
            _draw(axis, images[number])
        if cells and number < len(cells):
            axis.set_title(cells[number], fontsize=7, pad=2)
    for axis, row in zip(axes[:, 0], rows, strict=False):
        axis.set_ylabel(row, fontsize=8, rotation=0, ha="right", va="center")
    figure.suptitle(caption, fontsize=9)
    canvas.draw()
    return Picture(torch.from_numpy(np.asarray(canvas.buffer_rgba())[..., :3].copy()), caption)


def _bare(axis: Axes) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)


def _draw(axis: Axes, image: Tensor) -> None:
    pixels = image.detach().float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    axis.imshow(pixels.squeeze(), cmap="gray" if pixels.shape[-1] == 1 else None, vmin=0, vmax=1)
