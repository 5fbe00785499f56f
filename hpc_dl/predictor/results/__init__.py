"""Files of predictions, in the form that the suffix of their name says.

A file is written beside its place, and put there once it is complete.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from hpc_dl.errors import UserError, naming
from hpc_dl.predictor.results.csv_lines import CsvLines
from hpc_dl.predictor.results.json_lines import JsonLines
from hpc_dl.predictor.results.npz import Npz
from hpc_dl.predictor.results.parquet import Parquet
from hpc_dl.predictor.results.writer import Writer

FORMS: dict[str, type[Writer]] = {
    ".csv": CsvLines,
    ".parquet": Parquet,
    ".npz": Npz,
    ".jsonl": JsonLines,
}


@contextlib.contextmanager
def writing(path: Path, *, force: bool) -> Iterator[Writer]:
    """Write a file, which is put in its place at the end of the context, unless there is an
    error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with naming(path), temporary.open("xb") as file:
            writer = FORMS[path.suffix.lower()](file)
            yield writer
            writer.close()
        if path.exists() and not force:  # it has come meanwhile
            raise UserError(f"{path} is there already", hint="--force replaces it.")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
