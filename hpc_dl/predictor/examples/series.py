"""Time series to forecast: the last steps of a table's columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hpc_dl.data.faults import Faults
from hpc_dl.data.tables.absent import refuse_absent
from hpc_dl.data.tables.places import list_rows
from hpc_dl.errors import UserError
from hpc_dl.jobspec.csv_format import CsvFormat
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.predictor import tables
from hpc_dl.predictor.examples.part import Examples, Part


def of(path: Path, facts: DataFacts) -> Examples:
    """Return the end of the series of a CSV or Parquet file, as many steps as the network sees; CSV
    is read as that of the training was.

    Raises UserError for a file without these series, with too few steps, or gaps in the last.
    """
    import pandas

    rows = tables.read(path, CsvFormat.of_training(facts.csv))
    names, steps = facts.inputs["sequence"].vocabulary, facts.shape[0]
    refuse_absent(rows, names)
    if len(rows.frame) < steps:
        raise UserError(f"{path} has {len(rows.frame)} steps, but the network sees {steps}")
    last, faults = replace(rows, frame=rows.frame.iloc[-steps:]), Faults(str(path))
    values = {it: pandas.to_numeric(last.frame[it], errors="coerce").astype(float) for it in names}
    for name, column in values.items():
        wrong = ~np.isfinite(column.to_numpy())
        faults.add(f"gaps, or no numbers, in '{name}'", list_rows(last, wrong), "Fill them.")
    faults.refuse()
    given = np.stack([*values.values()], axis=1)[None]
    notes = (*rows.notes, f"the forecast is of what follows the last row, {len(rows.frame)}")
    return Examples([Part(given, {}, [str(path)], notes=notes)], 1)
