"""Grids of images, with labelled rows or cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.pictures import figure
from hpc_dl.tasks.pictures.labels import INCHES_A_LETTER, labels

INCHES_A_CELL = 0.55
MOST_PIXELS = 128
"""Of a side of an image in a grid; larger ones are reduced to it."""
GAP = 0.12
"""Between two images, as a fraction of an image's side."""


def grid(
    images: Tensor,
    columns: int,
    caption: str,
    rows: Sequence[str] = (),
    cells: Sequence[str] = (),
    *,
    generated: bool = False,
) -> Picture:
    """Draw images (N, C, H, W) in [0, 1], row by row; `rows` names the rows, `cells` each image.
    There are fewer columns, where there are fewer images in a row.

    The title of `generated` images names no split. All images are drawn as one: an axis for each
    would take a hundred times as long.
    """
    images = _drawable(images)
    columns = max(min(columns, len(images) // max(len(rows), 1)), 1)
    sheet, tops, lefts = _sheet(images, columns, gap=4 * GAP if cells else GAP)
    height, width = sheet.shape[:2]
    inches, named = columns * INCHES_A_CELL, list(zip(tops, labels(rows), strict=False))
    aside = 0.2 + INCHES_A_LETTER * max((len(name) for _, name in named), default=0)
    drawing, axis = figure(inches + aside, inches * height / width + 0.35)
    axis.imshow(sheet, vmin=0, vmax=1, cmap="gray", interpolation="nearest")
    axis.set_frame_on(False)
    axis.set_xticks([])
    side = images.shape[-2]
    axis.set_yticks([top + side / 2 for top, _ in named], [it for _, it in named], fontsize=8)
    axis.tick_params(length=0)
    middle = images.shape[-1] / 2
    for number, text in enumerate(cells):
        top, left = tops[number // columns], lefts[number % columns]
        axis.text(left + middle, top - 1, text, fontsize=5.5, ha="center", va="bottom")
    return Picture(drawing, caption, generated)


def _drawable(images: Tensor) -> Tensor:
    """Return images (N, 1 or 3, H, W) in [0, 1], no larger than a screen shows them.

    Of other numbers of channels, such as a satellite's, the mean is shown.
    """
    images = images.detach().float().clamp(0, 1)
    if images.shape[1] not in (1, 3):
        images = images.mean(dim=1, keepdim=True)
    times = max(images.shape[-2:]) / MOST_PIXELS
    down, across = (max(round(side / times), 1) for side in images.shape[-2:])
    return F.adaptive_avg_pool2d(images, (down, across)) if times > 1 else images


def _sheet(
    images: Tensor, columns: int, gap: float
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], list[int], list[int]]:
    """Put images on one white sheet (H, W, C); return it, and the first pixels of its rows and
    columns."""
    pixels = images.permute(0, 2, 3, 1).cpu().numpy()
    _, height, width, channels = pixels.shape
    down, across = round(height * (1 + gap)), round(width * (1 + GAP))
    tops = [down - height + down * row for row in range(-(-len(pixels) // columns))]
    lefts = [across * column for column in range(columns)]
    sheet = np.ones((tops[-1] + height, lefts[-1] + width, channels), np.float32)
    for number, image in enumerate(pixels):
        top, left = tops[number // columns], lefts[number % columns]
        sheet[top : top + height, left : left + width] = image
    return sheet, tops, lefts
