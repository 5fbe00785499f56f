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
    """Return a short and visible label. The middle of a long name is cut out: paths begin alike."""
    text = printable(name).strip() or "(empty)"
    if len(text) > longest:
        end = longest // 2
        text = f"{text[: longest - end - 1]}…{text[-end:]}"
    return f" {text}" if text.startswith("_") else text
