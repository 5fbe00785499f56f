"""Print what is predicted of a table, as CSV: `python -m hpc_dl.predictor EXPORT TABLE`; or how a
text goes on: `python -m hpc_dl.predictor EXPORT "To be"`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from hpc_dl.data.faults import resolve_home
from hpc_dl.errors import UserError
from hpc_dl.jobspec.csv_format import CsvFormat
from hpc_dl.predictor import Predictor, load, tables
from hpc_dl.tasks.decoding import Sampling

if TYPE_CHECKING:
    from pandas import DataFrame

ARRAYS = (".npz", ".npy", ".h5", ".hdf5", ".mat")
"""Suffixes of files of arrays."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = ArgumentParser(prog="python -m hpc_dl.predictor", description=__doc__)
    parser.add_argument("export", help="the folder `export` of a completed run")
    parser.add_argument(
        "given", help="a csv or parquet file of rows like those trained on, or a text to continue"
    )
    for field in fields(Sampling):
        parser.add_argument(f"--{field.name.replace('_', '-')}", help="of a text to continue")
    asked = parser.parse_args(arguments)
    params = {it.name: getattr(asked, it.name) for it in fields(Sampling)}
    params = {name: value for name, value in params.items() if value is not None}
    try:
        predictor = load(asked.export)
        if predictor.architecture.facts.modality == "text":
            (continuation,) = predictor.predict(asked.given, params)["continuation"]
            written = f"{asked.given}{continuation}\n"
        else:
            written = _table(predictor, asked.given).to_csv(index=False)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(written)
    return 0


def _table(predictor: Predictor, file: str) -> DataFrame:
    """Return the predictions of the rows of a file, a row each, under names; before them what
    names the rows, where the training had such a column and the file has it."""
    import pandas

    task, facts = predictor.architecture.task, predictor.architecture.facts
    given: Any = file
    names = {}
    if not facts.raw and (facts.modality != "image" or file.endswith(ARRAYS)):
        raise UserError(
            f"{file}: the network was not trained on a table, and this command reads no arrays",
            hint="In Python: hpc_dl.predictor.load(EXPORT).predict(x), of an array of examples.",
        )
    if facts.raw:
        given = tables.read(resolve_home("the table", file), CsvFormat.of_training(facts.csv))
        index = [it.name for it in facts.raw if it.part == "index" and it.name in given.frame]
        names = {name: given.frame[name].to_numpy() for name in index}
    predicted = predictor.predict(given)
    columns = task.tables.columns(predicted) if task and task.tables else {}
    return pandas.DataFrame({**names, **columns})


if __name__ == "__main__":
    sys.exit(main())
