"""Print what is predicted of a table, as CSV: `python -m hpc_dl.predictor EXPORT TABLE`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpc_dl.errors import UserError
from hpc_dl.predictor import Predictor, load

if TYPE_CHECKING:
    from pandas import DataFrame


def main(arguments: Sequence[str] | None = None) -> int:
    parser = ArgumentParser(prog="python -m hpc_dl.predictor", description=__doc__)
    parser.add_argument("export", help="the folder `export` of a completed run")
    parser.add_argument("table", help="a csv or parquet file of rows like those trained on")
    asked = parser.parse_args(arguments)
    try:
        predictions = _table(load(asked.export), asked.table)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(predictions.to_csv(index=False))
    return 0


def _table(predictor: Predictor, file: str) -> DataFrame:
    """Return the predictions of the rows of a file, a row each, under names."""
    import pandas

    task, predicted = predictor.architecture.task, predictor.predict(file)
    tables = task.tables if task else None
    return pandas.DataFrame(tables.columns(predicted) if tables else {})


if __name__ == "__main__":
    sys.exit(main())
