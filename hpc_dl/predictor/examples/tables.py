"""Rows of a table's file, as the training's were read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hpc_dl.data.tables import encoding
from hpc_dl.data.tables.places import list_rows
from hpc_dl.data.tables.rows import Rows
from hpc_dl.jobspec.csv_format import CsvFormat
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.predictor import tables
from hpc_dl.predictor.examples.part import Examples, Part


def of(path: Path, facts: DataFacts, size: int) -> Examples:
    """Return the rows of a CSV or Parquet file, or a folder of these.

    Raises UserError for a file that is no such table, as the parts are read.
    """
    words = [it.name for it in facts.raw if it.type == "words"]
    csv = CsvFormat.of_training(facts.csv).model_copy(update={"categories": words})
    index = [it.name for it in facts.raw if it.part == "index"]
    return Examples(_parts(tables.read_in_parts(path, csv, size), facts, index))


def _parts(every: Iterator[Rows], facts: DataFacts, index: list[str]) -> Iterator[Part]:
    for rows in every:
        encoding.check_names(rows, facts.raw)
        frame = rows.frame
        numbers = (frame.index.to_numpy() + 1).tolist()
        own = {name: frame[name].to_list() for name in index if name in frame}
        places = list_rows(rows, frame.index.to_numpy() >= 0)
        yield Part(rows, own or {"row": numbers}, places, notes=rows.notes)
