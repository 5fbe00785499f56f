"""Tables: histograms of columns of numbers, and bars of words, of the training rows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor

from hpc_dl.data.dataset import Splits
from hpc_dl.data.show.bars import draw_bars, draw_histogram
from hpc_dl.data.show.panels import Panel, and_more
from hpc_dl.data.show.samples import sample
from hpc_dl.data.tables import encoding
from hpc_dl.data.tables.dates import show
from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.facts import Column
from hpc_dl.tasks.pictures.names import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_COLUMNS = 30
MOST_ROWS, MOST_STREAMED = 100_000, 2_000
"""Of more rows, in memory or in a file, a sample is counted."""


def panels(splits: Splits, options: Data) -> list[Panel]:
    """Return a panel for each input column, up to MOST_COLUMNS."""
    facts, train = splits.facts, splits.train
    most = MOST_ROWS if "table" in train.tensors else MOST_STREAMED
    chosen = sample(len(train), most, options.split_seed).sort().values
    table = train.batch(chosen)["table"]
    counted = "rows" if len(chosen) == len(train) else f"rows, of {len(chosen):,}"
    if facts.raw:
        found = _of_file(table, encoding.inputs(facts.raw), counted)
    else:
        names = facts.columns or tuple(f"column {number}" for number in range(table.shape[1]))
        found = [
            _numbers(f"{label(name)}{_missing(table[:, at])}", table[:, at], counted)
            for at, name in enumerate(names[:MOST_COLUMNS])
        ]
    count = len(encoding.inputs(facts.raw)) or table.shape[1]
    return [*found, *and_more(count - MOST_COLUMNS, "columns")]


def _of_file(table: Tensor, columns: list[Column], counted: str) -> list[Panel]:
    """Return panels of a file's columns, whose words and gaps are columns of the table (N, C)."""
    found, first = [], 0
    for column in columns[:MOST_COLUMNS]:
        width = len(encoding.names(column))
        found.append(_panel(column, table[:, first : first + width], counted))
        first += width
    return found


def _panel(column: Column, values: Tensor, counted: str) -> Panel:
    title = f"{label(column.name)}{_gaps(column)}"
    if column.words:
        counts = [int(it) for it in values.nansum(dim=0).tolist()]
        names = [*column.words, *["(gap)"] * (len(counts) - len(column.words))]
        return Panel(title, partial(draw_bars, names=names, counts=counts))
    if column.type == "bool":
        known = values[:, 0][values[:, 0].isfinite()]
        counts = [int((known == 0).sum()), int((known == 1).sum())]
        return Panel(title, partial(draw_bars, names=["false", "true"], counts=counts))
    if column.type == "date":
        return Panel(title, partial(_draw_dates, values=values[:, 0], counted=counted))
    return _numbers(title, values[:, 0], counted)


def _gaps(column: Column) -> str:
    """Return how many values of a column are missing in the file to train on, for its title."""
    if not column.gaps:
        return ""
    filled = "" if column.fill is None else f", filled with {column.fill:g}"
    return f" ({column.gaps} gaps{filled})"


def _missing(values: Tensor) -> str:
    """Return how many of the values that are drawn are missing, for the title of a column."""
    missing = int(values.isnan().sum())
    return f" ({missing} gaps)" if missing else ""


def _numbers(title: str, values: Tensor, counted: str) -> Panel:
    return Panel(title, partial(draw_histogram, values={"training": values}, counted=counted))


def _draw_dates(axis: Axes, values: Tensor, counted: str) -> None:
    draw_histogram(axis, {"training": values}, counted)
    axis.xaxis.set_major_formatter(lambda days, _: show(days))
    axis.tick_params(axis="x", labelrotation=20)
