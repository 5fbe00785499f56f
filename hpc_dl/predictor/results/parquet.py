"""Predictions as Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpc_dl.predictor.arrays import Array
from hpc_dl.predictor.columns import Columns
from hpc_dl.predictor.results.writer import Writer, as_cells


class Parquet(Writer):
    """A group of rows for each part; lists are written as JSON."""

    writer: Any = None

    def write(self, columns: Columns, predicted: Mapping[str, Array]) -> None:
        import pyarrow
        from pyarrow.parquet import ParquetWriter

        table = pyarrow.table({name: as_cells(values) for name, values in columns.items()})
        if self.writer is None:
            self.writer = ParquetWriter(self.file, table.schema)
        self.writer.write_table(table.cast(self.writer.schema))

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
