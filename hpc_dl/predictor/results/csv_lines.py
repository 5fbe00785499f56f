"""Predictions as CSV."""

from __future__ import annotations

from collections.abc import Mapping

from hpc_dl.predictor.arrays import Array
from hpc_dl.predictor.columns import Columns
from hpc_dl.predictor.results.writer import Writer, as_cells


class CsvLines(Writer):
    """A header, and a row for each example; lists are written as JSON."""

    has_header = False

    def write(self, columns: Columns, predicted: Mapping[str, Array]) -> None:
        import pandas

        cells = {name: as_cells(values) for name, values in columns.items()}
        text = pandas.DataFrame(cells).to_csv(index=False, header=not self.has_header)
        self.file.write(text.encode(errors="surrogateescape"))
        self.has_header = True
