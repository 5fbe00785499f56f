"""Text that matplotlib draws as it stands: it takes what is between two dollars for a formula, and
all of it for LaTeX where a user's code has asked for that."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text


def make_plain(drawing: Figure) -> None:
    """Have every text of a figure drawn as it stands, such as a class that is named `$10_$20`.

    What is no Unicode, such as the name of a file in Latin-1, is escaped.
    """
    for text in drawing.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)
        text.set_usetex(False)
        text.set_text(text.get_text().encode(errors="backslashreplace").decode())


class PlainFigure(Figure):
    """A figure without formulas, whoever has put the texts into it."""

    def draw(self, renderer: Any) -> None:
        make_plain(self)  # before the layout, which measures them
        super().draw(renderer)
