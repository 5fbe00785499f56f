"""Predictions as columns of a table, a row for each example."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.predictor.arrays import Array
from hpc_dl.tasks.forecast import QUANTILES
from hpc_dl.tasks.tables import ClassTables, TargetTables

Columns = Mapping[str, Sequence[Any] | Array]
WIDEST = 64
"""The most numbers of an example that are columns of a table."""


def of(
    predicted: Mapping[str, Array], facts: DataFacts, names: Columns, *, probabilities: bool
) -> Columns:
    """Return the columns that name the examples, and those of their predictions.

    Of classes these are the `class` and its `probability`, with `probabilities` that of each class;
    of texts what is written; of a forecast a row for each step; of anything else all that are
    numbers, or a few of them.
    """
    if facts.task == "forecast":
        return _forecast(predicted, facts, names)
    return {**names, **_predictions(predicted, facts, probabilities=probabilities)}


def texts_of(predicted: Mapping[str, Array]) -> Mapping[str, Array]:
    """Return the predictions that are text, such as translations; the names of classes are none."""
    return {name: it for name, it in predicted.items() if it.dtype.kind in "UO" and name != "class"}


def left_out(predicted: Mapping[str, Array]) -> list[str]:
    """Return the predictions that no table holds, as pictures, where there is nothing more to be
    told of an example than arrays."""
    if texts_of(predicted) or not {"class", "target", "quantiles"}.isdisjoint(predicted):
        return []
    return [name for name, array in predicted.items() if not _numbers({name: array})]


def _predictions(
    predicted: Mapping[str, Array], facts: DataFacts, *, probabilities: bool
) -> Columns:
    if "class" in predicted and "probabilities" in predicted:
        every = predicted["probabilities"]
        of_each = ClassTables(facts).columns({"probabilities": every}) if probabilities else {}
        return {"class": predicted["class"], "probability": every.max(axis=1), **of_each}
    if "target" in predicted and facts.target_names:
        return TargetTables(facts).columns(predicted)
    if texts := texts_of(predicted):
        return {name: _entities(it) if name == "entities" else it for name, it in texts.items()}
    return _numbers(predicted)


def _entities(column: Array) -> list[Any]:
    return [json.loads(it) for it in column]


def _numbers(predicted: Mapping[str, Array]) -> Columns:
    """Return numbers as a column, and a few numbers of an example as a column each."""
    found: dict[str, Any] = {}
    for name, array in predicted.items():
        if array.ndim == 1:
            found[name] = array
        elif array.ndim == 2 and array.shape[1] <= WIDEST:
            found |= {f"{name}[{it}]": array[:, it] for it in range(array.shape[1])}
    return found


def _forecast(predicted: Mapping[str, Array], facts: DataFacts, names: Columns) -> Columns:
    """Return a row for each step of each example: the median and the ends of the band."""
    quantiles = predicted["quantiles"]
    count, horizon = quantiles.shape[:2]
    columns: dict[str, Any] = {
        name: [it for it in values for _ in range(horizon)] for name, values in names.items()
    }
    columns["step"] = np.tile(np.arange(1, horizon + 1), count)
    for number, series in enumerate(facts.targets["future"].vocabulary):
        columns[series] = predicted["forecast"][:, :, number].ravel()
        for place, share in ((0, QUANTILES[0]), (-1, QUANTILES[-1])):
            columns[f"{series} {share:.0%}"] = quantiles[:, :, number, place].ravel()
    return columns
