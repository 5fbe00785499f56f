"""Artifacts: what a person looks at, reads or hears of a run. A picture, a text or a file."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

MOST_PIXELS, LONGEST_SIDE = 2**24, 2**14
"""Of a picture: a larger figure has fewer dots per inch."""


@dataclass(frozen=True)
class Picture:
    """A figure of matplotlib, whose title is the caption."""

    figure: Figure
    caption: str
    generated: bool = False
    """True if it is of no example of the data, but made by the network alone."""
    suffix: ClassVar[str] = ".png"

    def pixels(self, more: str = "") -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """Return the figure as (H, W, 3) bytes, with `more` after the caption in its title.

        pyplot has no part in it, so nothing is global and no display is needed.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self.figure.suptitle(self.caption + more, fontsize=9, parse_math=False)
        self.figure.set_dpi(min(self.figure.dpi, _most_dpi(*self.figure.get_size_inches())))
        canvas = FigureCanvasAgg(self.figure)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # matplotlib's, of each letter that its font lacks
            self._draw(canvas)
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    def _draw(self, canvas: FigureCanvasAgg) -> None:
        """Draw, with all texts as they stand if there is one that matplotlib cannot read."""
        from hpc_dl.tasks.pictures.plain_text import make_plain

        try:
            canvas.draw()
        except Exception:  # of many classes: a formula that is none, no LaTeX, no Unicode
            make_plain(self.figure)
            canvas.draw()

    def save(self, path: Path, more: str = "") -> None:
        """Write the picture, with `more` after the caption."""
        from PIL import Image

        Image.fromarray(self.pixels(more)).save(path)


@dataclass(frozen=True)
class Text:
    """A text, under its caption."""

    text: str
    caption: str
    generated: bool = False
    suffix: ClassVar[str] = ".txt"

    def save(self, path: Path, more: str = "") -> None:
        """Write the text in UTF-8, after a line with the caption and `more`."""
        text = f"{self.caption}{more}\n\n{self.text}\n"
        path.write_text(text, encoding="utf-8", errors="backslashreplace")


@dataclass(frozen=True)
class File:
    """The content of a file of any type, such as audio; the caption is in the journal alone."""

    content: bytes
    suffix: str
    """Like `.wav`."""
    caption: str
    generated: bool = False

    def save(self, path: Path, more: str = "") -> None:
        """Write the content."""
        path.write_bytes(self.content)


Artifact = Picture | Text | File


def _most_dpi(width: float, height: float) -> float:
    """Return the most dots per inch of a picture of so many inches."""
    return min(math.sqrt(MOST_PIXELS / (width * height)), LONGEST_SIDE / max(width, height))
