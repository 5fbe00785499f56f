"""Pairs of text files, of which each line translates that of the other. Light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hpc_dl.data import text_files
from hpc_dl.data.faults import Faults
from hpc_dl.errors import UserError


@dataclass(frozen=True)
class Pairs:
    """Sentences of a split, and their translations."""

    sources: list[str]
    targets: list[str]

    def __len__(self) -> int:
        return len(self.sources)


def read(key: str, source: Path, target: Path) -> Pairs:
    """Return the lines of two files, which `key` names.

    Raises UserError, with file and line, for files of unequal length and lines without text.
    """
    lines = {file: _lines(key, file) for file in (source, target)}
    faults = Faults(key)
    for file, found in lines.items():
        empty = [number for number, line in enumerate(found, start=1) if not line]
        with_numbers = [f"{file}:{it}" for it in empty]
        faults.add("no text in the line", with_numbers, _hint(source, target))
    with faults.collect():
        _refuse_unequal(key, lines)
    faults.refuse()
    return Pairs(lines[source], lines[target])


def _lines(key: str, file: Path) -> list[str]:
    """Return the lines of a file. Only `\\n` ends one: a sentence may have Unicode's own ends."""
    lines = [it.strip() for it in text_files.read(key, file).split("\n")]
    return lines if lines[-1] else lines[:-1]


def _refuse_unequal(key: str, lines: dict[Path, list[str]]) -> None:
    counts = {file: len(found) for file, found in lines.items()}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{file} has {count} lines" for file, count in counts.items())
        longer = max(counts, key=counts.__getitem__)
        raise UserError(
            f"{key}: {said}: line {min(counts.values()) + 1} of {longer} has no translation",
            hint="Line by line they have to say the same: is one of them cut off, or does a line "
            "of it hold two sentences?",
        )


def _hint(source: Path, target: Path) -> str:
    return (
        "Leave such a pair out of both files: "
        f"paste {source.name} {target.name} | awk -F'\\t' '$1 && $2'"
    )
