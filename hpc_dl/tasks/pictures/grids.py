"""Grids of images, with labelled rows or cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.pictures import figure
from hpc_dl.tasks.pictures.names import INCHES_A_LETTER, labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES_A_CELL = 0.55
"""The side of a square image; others have the same area."""
WITH_CELLS = 0.8
"""That of one with a name above it."""
NARROWEST = 3.0
"""In inches, for the title."""
MOST_PIXELS = 128
"""Of a side of a square image in a grid; larger ones are reduced to as many in all."""
LONGEST = 64
"""The most that an image is longer than high, or higher than long."""
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
    images = drawable(images)
    columns = max(min(columns, len(images) // max(len(rows), 1)), 1)
    sheet = _Sheet.of(images, columns, gap_of(images, cells))
    height, width = sheet.pixels.shape[:2]
    side = WITH_CELLS if cells else INCHES_A_CELL
    inches = columns * side * math.sqrt(elongation(images))
    aside = INCHES_A_LETTER * max(map(len, labels(rows)), default=0)
    drawing, axis = figure(max(inches + aside + 0.2, NARROWEST), inches * height / width + 0.35)
    sheet.draw(axis, rows, cells)
    return Picture(drawing, caption, generated)


def elongation(images: Tensor) -> float:
    """Return the width of images (N, C, H, W) over their height, within bounds."""
    return min(max(images.shape[-1] / images.shape[-2], 1 / LONGEST), LONGEST)


def gap_of(images: Tensor, cells: Sequence[str]) -> float:
    """Return the gap between rows as a fraction of an image's height: there is room for `cells`."""
    return 4 * GAP * math.sqrt(elongation(images)) if cells else GAP


def draw_grid(
    axis: Axes,
    images: Tensor,
    columns: int,
    rows: Sequence[str] = (),
    cells: Sequence[str] = (),
) -> None:
    """Draw images (N, C, H, W) in [0, 1] as in a `grid`, on axes that are there."""
    sheet = _Sheet.of(drawable(images), columns, gap_of(images, cells))
    sheet.draw(axis, rows, cells)


def drawable(images: Tensor) -> Tensor:
    """Return images (N, 1 or 3, H, W) in [0, 1], no larger than a screen shows them.

    Of other numbers of channels, such as a satellite's, the mean is shown.
    """
    images = images.detach().float().clamp(0, 1)
    if images.shape[1] not in (1, 3):
        images = images.mean(dim=1, keepdim=True)
    times = math.sqrt(math.prod(images.shape[-2:])) / MOST_PIXELS
    down, across = (max(round(side / times), 1) for side in images.shape[-2:])
    return F.adaptive_avg_pool2d(images, (down, across)) if times > 1 else images


@dataclass(frozen=True)
class _Sheet:
    """Images on one white sheet (H, W, C), and the first pixels of its rows and columns."""

    pixels: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
    tops: list[int]
    lefts: list[int]
    sides: tuple[int, int]
    """Height and width of an image."""

    @classmethod
    def of(cls, images: Tensor, columns: int, gap: float) -> _Sheet:
        """Put images (N, C, H, W) on a sheet, with a `gap` between rows."""
        pixels = images.permute(0, 2, 3, 1).cpu().numpy()
        _, height, width, channels = pixels.shape
        down, across = height + max(round(height * gap), 1), width + max(round(width * GAP), 1)
        tops = [down - height + down * row for row in range(-(-len(pixels) // columns))]
        lefts = [across * column for column in range(columns)]
        sheet = np.ones((tops[-1] + height, lefts[-1] + width, channels), np.float32)
        for number, image in enumerate(pixels):
            top, left = tops[number // columns], lefts[number % columns]
            sheet[top : top + height, left : left + width] = image
        return cls(sheet, tops, lefts, (height, width))

    def draw(self, axis: Axes, rows: Sequence[str], cells: Sequence[str]) -> None:
        """Draw the sheet, with names beside its rows and above its cells."""
        axis.imshow(
            self.pixels, vmin=0, vmax=1, cmap="gray", origin="upper", interpolation="nearest"
        )
        axis.set_frame_on(False)
        axis.set_xticks([])
        (height, width), named = self.sides, list(zip(self.tops, labels(rows), strict=False))
        places, names = [top + (height - 1) / 2 for top, _ in named], [name for _, name in named]
        axis.set_yticks(places, names, fontsize=8)
        axis.tick_params(length=0)
        for number, text in enumerate(cells):
            top, left = self.tops[number // len(self.lefts)], self.lefts[number % len(self.lefts)]
            axis.text(left + (width - 1) / 2, top - 1, text, fontsize=5.5, ha="center", va="bottom")
