"""Histograms of numbers, and bars of counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from hpc_dl.tasks.pictures import add_legend
from hpc_dl.tasks.pictures.charts import COLOURS
from hpc_dl.tasks.pictures.names import labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

BINS = 40
MOST_BARS = 12
WHOLE = 1e6
"""The widest range of whole numbers whose bins have as many of them."""
LARGEST = 1e300
"""Larger numbers are drawn there: differences of such have no room in float64."""


def draw_histogram(
    axis: Axes, values: Mapping[str, Tensor], counted: str = "examples", *, log: bool = False
) -> None:
    """Draw the histogram of each series of numbers, with common bins; gaps are left out."""
    series = {name: _finite(tensor) for name, tensor in values.items()}
    every = np.concatenate(list(series.values()))
    if not len(every):
        axis.text(0.5, 0.5, "no numbers", ha="center", fontsize=8)
        return
    bins = _edges(every)
    count_in_whole_numbers(axis.yaxis)
    if is_whole(every):
        count_in_whole_numbers(axis.xaxis)
    for number, (name, numbers) in enumerate(series.items()):
        if len(numbers):
            colour, is_filled = COLOURS[number % len(COLOURS)], len(series) == 1
            axis.hist(numbers, bins, histtype="step", fill=is_filled, color=colour, label=name)
    axis.set_ylabel(counted, fontsize=7)
    if log:
        from matplotlib.ticker import LogFormatter, NullFormatter

        axis.set_yscale("log")
        axis.set_ylim(bottom=0.5)  # below one, so that one is seen
        axis.yaxis.set_major_formatter(LogFormatter())  # by default they are formulas
        axis.yaxis.set_minor_formatter(NullFormatter())
    if len(series) > 1:
        add_legend(axis, fontsize=6)


def is_whole(numbers: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    """Return whether there are whole numbers alone, not too far apart for bins of their own."""
    return bool(np.ptp(numbers) < WHOLE and (numbers == numbers.round()).all())


def count_in_whole_numbers(axis: Axis) -> None:
    """Have whole numbers alone at the ticks of a linear axis."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))


def _edges(numbers: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[float]:
    """Return the edges of bins; of whole numbers each bin has as many."""
    low, high = float(numbers.min()), float(numbers.max())
    if is_whole(numbers):
        step = (high - low) // BINS + 1
        edges: list[float] = np.arange(low - 0.5, high + step, step).tolist()
        return edges
    edges = np.histogram_bin_edges(numbers, BINS).tolist()
    return edges


def _finite(values: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    numbers = values.double().flatten().numpy()
    return np.clip(numbers[np.isfinite(numbers)], -LARGEST, LARGEST)


def draw_bars(axis: Axes, names: Sequence[str], counts: Sequence[int]) -> None:
    """Draw a bar for each of the most frequent, and count all others."""
    order = sorted(range(len(counts)), key=lambda it: -counts[it])
    shown, others = order[:MOST_BARS], order[MOST_BARS:]
    known, numbers = labels(names[it] for it in shown), [counts[it] for it in shown]
    if others:  # as a bar they could make all others small
        known.append(f"{len(others):,} others: {sum(counts[it] for it in others):,}")
        numbers.append(0)
    axis.barh(range(len(known)), numbers, color=COLOURS[0])
    axis.set_yticks(range(len(known)), known, fontsize=7)
    axis.invert_yaxis()
    count_in_whole_numbers(axis.xaxis)
