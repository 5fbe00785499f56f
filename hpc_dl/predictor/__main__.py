"""Print what is predicted of a table, as CSV: `python -m hpc_dl.predictor EXPORT TABLE`; or of a
text or a file with one example: `python -m hpc_dl.predictor EXPORT "To be" temperature=0.5`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpc_dl.data.faults import resolve_home
from hpc_dl.errors import UserError
from hpc_dl.jobspec.csv_format import CsvFormat
from hpc_dl.predictor import Predictor, load, tables

if TYPE_CHECKING:
    from pandas import DataFrame

ARRAYS = (".npz", ".npy", ".h5", ".hdf5", ".mat")
"""Suffixes of files of arrays."""
RAW = ("text", "audio", "video", "music")
"""Modalities of which one example is given: a text, or the path of a file."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = ArgumentParser(prog="python -m hpc_dl.predictor", description=__doc__)
    parser.add_argument("export", help="the folder `export` of a completed run")
    parser.add_argument(
        "given", help="a csv or parquet file of rows, a text, or a file like those trained on"
    )
    parser.add_argument(
        "params", metavar="key=value", nargs="*", help="of the prediction, like temperature=0.5"
    )
    asked = parser.parse_args(arguments)
    try:
        params = dict(map(_param, asked.params))
        predictor = load(asked.export)
        modality = predictor.architecture.facts.modality
        if modality in RAW:
            prompt = asked.given if modality == "text" else ""
            written = _of_one(prompt, predictor.predict(asked.given, params))
        else:
            written = _table(predictor, asked.given).to_csv(index=False)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(written)
    return 0


def _param(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise UserError(f"{word}: options of the prediction are key=value")
    return name, value


def _of_one(prompt: str, predicted: Mapping[str, Any]) -> str:
    """Return the prediction of one raw example as people read it: its translation or continuation,
    or a line for each name."""
    if "translation" in predicted:
        return f"{predicted['translation'][0]}\n"
    if "continuation" in predicted:
        return f"{prompt}{predicted['continuation'][0]}\n"
    return "".join(f"{name}: {values[0]}\n" for name, values in predicted.items())


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
