"""Sections of documents that are written from committed results, between two marks."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Section(NamedTuple):
    """A section of a document, and the module that writes it."""

    document: Path
    name: str
    module: str

    def read(self) -> str:
        """Return what is in it."""
        return self._parts()[1].strip()

    def write(self, text: str) -> None:
        """Replace what is in it."""
        before, _, after = self._parts()
        begin, end = self._marks()
        written = f"{before}{begin}\n\n{text}\n\n{end}{after}"
        self.document.write_text(written, encoding="utf-8")

    def _parts(self) -> tuple[str, str, str]:
        begin, end = self._marks()
        before, rest = self.document.read_text(encoding="utf-8").split(begin)
        inside, after = rest.split(end)
        return before, inside, after

    def _marks(self) -> tuple[str, str]:
        begin = f"<!-- {self.name}: written by python -m {self.module} -->"
        return begin, f"<!-- end of {self.name} -->"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return the lines of a table in Markdown, with numbers in all columns but the first."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]
