"""CoNLL column files: a word and its tags a line, an empty line between sentences. Light."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from hpc_dl.data import text_files
from hpc_dl.data.faults import Faults
from hpc_dl.data.tagged.sentences import Sentence
from hpc_dl.errors import UserError

DOCUMENT = "-DOCSTART-"
"""The word of the line that begins a document."""
_OF_ENTITY = re.compile(r"O|[BIESLUM][-_].+")


@dataclass(frozen=True)
class Columns:
    """Which column holds the words, and which the tags; from 0, or from -1 at the end."""

    word: int
    tag: int


@dataclass
class _File:
    """What was read of a file so far."""

    faults: Faults
    sentences: list[Sentence] = field(default_factory=list)
    rows: list[tuple[int, str, str]] = field(default_factory=list)
    """Line, word and tag of the sentence that is being read."""
    documents: int = 0
    comments: int = 0

    def end_sentence(self) -> None:
        if self.rows:
            lines, words, tags = zip(*self.rows, strict=True)
            self.sentences.append(Sentence(words, tags, lines))
            self.rows = []


def read(key: str, path: Path, columns: Columns) -> tuple[list[Sentence], tuple[str, ...]]:
    """Return the sentences of a file, and notes on the lines that are none of a word.

    Columns are separated by tabs, or by blanks where the first line has no tab. Raises UserError
    with the lines that have another number of columns than the first one, or an empty word or tag.
    """
    lines = text_files.read(key, path).split("\n")
    first = next((it for it in lines if it.strip() and not _is_aside(it)), "")
    separator = "\t" if "\t" in first else None
    width = len(first.split(separator))
    found = _File(Faults(f"{key}: {path}"))
    if not first:
        raise UserError(f"{key}: {path} has no sentences, only comments and marks of documents")
    _check_columns(found.faults, columns, width, lines.index(first) + 1)
    for number, line in enumerate(lines, start=1):
        _read_line(found, line, number, columns, separator, width)
    found.end_sentence()
    found.faults.refuse()
    return found.sentences, _notes(found, path)


def _check_columns(faults: Faults, columns: Columns, width: int, line: int) -> None:
    """Raise UserError where a file does not have the columns that are asked for."""
    for option, column in (("word", columns.word), ("column", columns.tag)):
        if not -width <= column < width:
            faults.add(
                f"has {_count(width)}, and data.{option} is {column}",
                [f"line {line}"],
                "Columns are separated by tabs or blanks, and counted from 0, or from the end: -1.",
            )
    faults.refuse()
    if columns.word % width == columns.tag % width:
        faults.add(
            f"data.word and data.column are the same column of {width}",
            [f"line {line}"],
            "A line is a word and its tag, separated by a tab or blanks.",
        )
        faults.refuse()


def _read_line(
    found: _File, line: str, number: int, columns: Columns, separator: str | None, width: int
) -> None:
    if not line.strip():
        return found.end_sentence()
    cells = [it.strip() for it in line.split(separator)]
    if cells[0] == DOCUMENT:
        found.documents += 1
        return found.end_sentence()
    if _is_comment(found, cells, columns, width, line):
        found.comments += 1
        return None
    place = [f"line {number}"]
    if len(cells) != width:
        found.faults.add(
            f"not {_count(width)} as in the first line",
            [f"line {number} has {len(cells)}"],
            "A line is a word with its tags, and an empty line ends a sentence.",
        )
        return None
    word, tag = cells[columns.word], cells[columns.tag]
    if not word:
        found.faults.add("an empty word", place)
    if not tag:
        found.faults.add("an empty tag", place)
    found.rows.append((number, word, tag))
    return None


def _is_aside(line: str) -> bool:
    """Return whether a line at the top may be one of no word."""
    return line.startswith(("#", DOCUMENT))


def _is_comment(found: _File, cells: list[str], columns: Columns, width: int, line: str) -> bool:
    """Return whether a line before a sentence's first word is a comment: one that begins with a #,
    and is no such word with its tag."""
    if found.rows or not line.startswith("#"):
        return False
    return len(cells) != width or not (
        len(cells[columns.word]) and _OF_ENTITY.fullmatch(cells[columns.tag])
    )


def _count(width: int) -> str:
    return f"{width} column{'s' if width > 1 else ''}"


def _notes(found: _File, path: Path) -> tuple[str, ...]:
    counts = {"with comments": found.comments, f"with {DOCUMENT}": found.documents}
    left_out = [f"{count} {what}" for what, count in counts.items() if count]
    return (f"{path}: lines that are left out: {', '.join(left_out)}",) if left_out else ()
