"""Parquet files, as pandas and pyarrow read them."""

from __future__ import annotations

from pathlib import Path

from hpc_dl.data.faults import reading
from hpc_dl.data.tables.csv_files import Read


def read(file: Path, option: str) -> Read:
    """Read the Parquet file that an option names. An index in it is no column, and is noted."""
    import pandas

    with reading(option, file, "parquet"):
        frame = pandas.read_parquet(file)
    named = [str(name) for name in frame.index.names if name is not None]
    return frame.reset_index(drop=True), [
        f"the index '{name}' of {file.name} is not read" for name in named
    ]
