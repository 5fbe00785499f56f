"""Texts: the lines of a file, a column of a table, sequences in FASTA, a folder of text files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from hpc_dl.data import text_files
from hpc_dl.data.class_folders.walk import shown
from hpc_dl.data.sources.text_folder import TEXTS
from hpc_dl.data.tables.absent import refuse_absent
from hpc_dl.data.tables.places import list_rows
from hpc_dl.data.tables.rows import Rows
from hpc_dl.data.texts import fasta
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.csv_format import CsvFormat
from hpc_dl.predictor import tables
from hpc_dl.predictor.examples.files import find_files
from hpc_dl.predictor.examples.part import Examples, Part, in_parts

TABLES = (".csv", ".tsv", ".parquet", ".parq", ".pq")
STRUCTURED = (".json", ".jsonl", ".ndjson", ".xml", ".html", ".htm", ".yaml", ".yml")
"""Of files whose lines are no texts."""
FASTA = (".fa", ".fasta", ".fna", ".faa")


def of_path(path: Path, column: str | None, size: int) -> Examples:
    """Return the texts of a file or a folder; `column` is that of a table with several."""
    suffix = path.suffix.lower()
    if suffix in TABLES:
        return Examples(_of_table(path, column, size))
    if column is not None:
        raise UserError(f"--column is of tables, but {path} is none", hint=" ".join(TABLES))
    if path.is_dir():
        found = find_files(path, TEXTS)
        return Examples(_of_files(found, path, size), len(found))
    if suffix in FASTA:
        _, records = fasta.read("INPUT", str(path))
        named = [(it.id, it.sequence) for it in records]
        return Examples(_of_sequences(named, path, size), len(named))
    if suffix in STRUCTURED:
        raise UserError(
            f"{path} holds no plain lines of text, by its suffix",
            hint=f"Give a .txt with a text a line, or a column of a table: {' '.join(TABLES)}.",
        )
    return Examples(_of_lines(path, size))


def of_strings(texts: Sequence[str], size: int) -> Examples:
    """Return texts that are given on the command line."""
    return Examples(
        (
            Part(some, {"text": some}, [f"--text {it[:40]!r}" for it in some])
            for some in in_parts(texts, size)
        ),
        len(texts),
    )


def _of_lines(path: Path, size: int) -> Iterator[Part]:
    for some in in_parts(enumerate(_lines(path), start=1), size):
        numbers, texts = (list(it) for it in zip(*some, strict=True))
        yield Part(texts, {"line": numbers, "text": texts}, [f"{path}:{it}" for it in numbers])


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text, without their ends."""
    held = ""
    for part in text_files.read_in_parts("INPUT", path):
        *lines, held = (held + part).split("\n")
        yield from lines
    if held:
        yield held


def _of_files(files: Iterable[Path], root: Path, size: int) -> Iterator[Part]:
    for some in in_parts(files, size):
        texts, broken = {}, []
        for file in some:
            try:
                texts[file] = text_files.read("INPUT", file)
            except UserError as error:
                broken.append(error.message.removeprefix("INPUT: "))
        names = {"file": [shown(it, root) for it in texts]}
        yield Part([*texts.values()], names, [*map(str, texts)], broken)


def _of_sequences(named: Sequence[tuple[str, str]], path: Path, size: int) -> Iterator[Part]:
    for some in in_parts(named, size):
        ids = [it for it, _ in some]
        yield Part([it for _, it in some], {"id": ids}, [f"{path}: {it}" for it in ids])


def _of_table(path: Path, column: str | None, size: int) -> Iterator[Part]:
    as_it_stands = CsvFormat(keep_default_na=False)
    first = next(tables.read_in_parts(path, as_it_stands, 1), None)
    if first is None:
        return
    name = _column(first, column, path)
    csv = as_it_stands.model_copy(update={"categories": [name]})
    for rows in tables.read_in_parts(path, csv, size):
        texts = rows.frame[name].fillna("").astype(str).tolist()
        numbers = rows.frame.index.to_numpy() + 1
        places = [f"{path}: {it}" for it in list_rows(rows, numbers > 0)]
        names = {"row": numbers.tolist(), "text": texts}
        yield Part(texts, names, places, notes=rows.notes)


def _column(rows: Rows, column: str | None, path: Path) -> str:
    """Return the column of the texts. Raises UserError where it is not there, or unclear."""
    there = list(rows.frame.columns)
    if column is not None:
        refuse_absent(rows, [column], "--column")
        return column
    if len(there) > 1:
        raise UserError(
            f"{path} has several columns, {first_few(there, 8)}",
            hint=f"--column {there[0]} names the one with the texts.",
        )
    return str(there[0])
