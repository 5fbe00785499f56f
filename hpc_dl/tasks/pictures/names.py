"""Names that a user has given, such as those of classes and columns, as labels of a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hpc_dl.errors import printable

LONGEST = 32
"""Most characters of a label."""
INCHES_A_LETTER = 0.075
"""The room that a label takes, in letters of 8 points."""


def labels(names: Iterable[str], longest: int = LONGEST) -> list[str]:
    """Return short and visible labels, all of them different.

    One that begins with `_` would be left out of legends, and so would an empty one.
    """
    shown = [label(name, longest) for name in names]
    counts = Counter(shown)
    return [it if counts[it] == 1 else f"{it} #{number}" for number, it in enumerate(shown)]


def label(name: str, longest: int = LONGEST) -> str:
    """Return a short and visible label."""
    text = shorten(printable(name).strip() or "(empty)", longest)
    return f" {text}" if text.startswith("_") else text


def shorten(text: str, longest: int) -> str:
    """Return a text, of which the middle is cut out if it is long: paths begin alike."""
    end = longest // 2
    return text if len(text) <= longest else f"{text[: longest - end - 1]}…{text[-end:]}"
