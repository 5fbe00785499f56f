"""Artifacts: what a person looks at, reads or hears of a run. A picture, a text or a file."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

MOST_PIXELS, LONGEST_SIDE = 2**24, 2**14
"""Of a picture: a larger figure has fewer dots per inch."""
INCHES_A_LETTER = 0.078
"""The room that a letter of a title takes."""
LEAST_DPI = 30
"""With fewer, letters would have no pixel: the figure has fewer inches."""


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

        from hpc_dl.tasks.pictures import fonts

        title = _in_lines(self.caption + more, self.figure.get_figwidth())
        self.figure.suptitle(title, fontsize=9, parse_math=False)
        _bound(self.figure)
        canvas = FigureCanvasAgg(self.figure)
        fonts.draw(self.figure, lambda: self._draw(canvas))
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


def _in_lines(title: str, width: float) -> str:
    """Return a title in lines that fit into a width of so many inches."""
    most = max(int(width / INCHES_A_LETTER), 20)
    return "\n".join(textwrap.fill(line, most) for line in title.splitlines())


def _bound(figure: Figure) -> None:
    """Make a figure no larger than MOST_PIXELS and LONGEST_SIDE."""
    width, height = figure.get_size_inches()
    most = min(math.sqrt(MOST_PIXELS / (width * height)), LONGEST_SIDE / max(width, height))
    if most < LEAST_DPI:
        shrunk = (max(side * most, LEAST_DPI) / LEAST_DPI for side in (width, height))
        figure.set_size_inches(*shrunk)
    figure.set_dpi(min(figure.dpi, max(most, LEAST_DPI)))
