"""Page of sentences, references and translations, for a browser."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from hpc_dl.tasks.artifacts import File

_HEAD = (
    '<!doctype html><meta charset="utf-8"><title>Translations</title>'
    "<style>body{font-family:sans-serif}td,th{padding:.3em .8em;text-align:left;"
    "vertical-align:top}tr:nth-child(even){background:#eee}.same{color:#070}</style>"
)


def page(rows: Iterable[tuple[str, str, str]]) -> File:
    """Return a page with a table of texts, references and translations, green where the last two
    are the same."""
    cells = "\n".join(_row(*each) for each in rows)
    table = f"<table><tr><th>text<th>reference<th>translation</tr>\n{cells}\n</table>\n"
    content = f"{_HEAD}\n{table}".encode(errors="backslashreplace")
    return File(content, ".html", "Texts, references and greedy translations")


def _row(text: str, reference: str, translation: str) -> str:
    style = ' class="same"' if reference == translation else ""
    written = f'<td dir="auto"{style}>{escape(translation)}'
    read = "".join(f'<td dir="auto">{escape(it)}' for it in (text, reference))
    return f"<tr>{read}{written}</tr>"
