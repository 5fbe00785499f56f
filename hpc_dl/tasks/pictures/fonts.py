"""Fonts for letters that the font of a picture lacks, such as Chinese ones."""

from __future__ import annotations

import functools
import itertools
import re
import sys
import warnings
from collections.abc import Callable

from matplotlib import get_cachedir
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

from hpc_dl.errors import first_few

_MISSING = re.compile(r"Glyph (\d+) ")
_BOXES = "Last Resort"
"""The font of matplotlib that has a box for each letter."""
_complaints = itertools.count()


def draw(figure: Figure, once: Callable[[], None]) -> None:
    """Draw a figure `once`, and again with more fonts if its own lack letters; say so, the first
    time, where no font on this machine has them."""
    if not (missing := _missing(once)):
        return
    if found := _families(missing):
        for text in figure.findobj(Text):
            assert isinstance(text, Text)
            text.set_fontfamily([*text.get_fontfamily(), *found])
        missing = _missing(once)
    if missing and next(_complaints) == 0:
        sys.stderr.write(
            f"warning: no font on this machine has {first_few(sorted(missing))}: pictures have "
            "boxes in their place. With a font that has them in ~/.local/share/fonts, and without "
            f"the list of fonts in {get_cachedir()}, they have letters.\n"
        )


def _missing(once: Callable[[], None]) -> frozenset[str]:
    """Draw, and return the letters of which matplotlib warns that no font has them."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        once()
    found = (_MISSING.match(str(it.message)) for it in said)
    return frozenset(chr(int(it[1])) for it in found if it)


@functools.cache
def _families(letters: frozenset[str]) -> tuple[str, ...]:
    """Return families of fonts that have as many of the letters as there are."""
    left = set(map(ord, letters))
    found = []
    for font in fontManager.ttflist:
        is_upright = (font.style, font.weight) == ("normal", 400)
        if not left or not is_upright or font.name.startswith(_BOXES):
            continue
        try:
            having = left & FT2Font(font.fname).get_charmap().keys()
        except (OSError, RuntimeError):  # a damaged file
            continue
        if having:
            found.append(font.name)
            left -= having
    return tuple(found)
