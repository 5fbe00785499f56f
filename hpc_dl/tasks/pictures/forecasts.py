"""Forecasts of time series, with their bands."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.pictures.charts import COLOURS
from hpc_dl.tasks.pictures.names import label

MOST_WINDOWS, MOST_SERIES = 3, 4
Row = tuple[Tensor, ...]
"""A window (T, series), what came after it (horizon, series), and the quantiles that were forecast,
(horizon, series, quantiles)."""


def draw(rows: Sequence[Row], names: Sequence[str], shares: Sequence[float]) -> Picture:
    """Draw a few windows, far apart, with what followed them and what was forecast: the quantiles
    of these shares, the outermost as a band."""
    from matplotlib.figure import Figure

    apart = max(1, len(rows) // MOST_WINDOWS)
    shown, series = rows[::apart][:MOST_WINDOWS], names[:MOST_SERIES]
    figure = Figure(figsize=(3.2 * len(shown), 1.9 * len(series)), layout="constrained")
    axes = figure.subplots(len(series), len(shown), squeeze=False)
    for column, (past, future, quantiles) in enumerate(shown):
        before, after = range(-len(past) + 1, 1), range(1, len(future) + 1)
        for number, axis in enumerate(axes[:, column]):
            drawn = quantiles[:, number].T.tolist()
            axis.plot(before, past[:, number].tolist(), color="0.4", linewidth=0.9)
            axis.plot(after, future[:, number].tolist(), color="black", marker=".", label="true")
            axis.plot(after, drawn[shares.index(0.5)], color=COLOURS[0], label="forecast")
            if len(shares) > 1:
                band = f"{100 * (shares[-1] - shares[0]):.3g} % band"
                ends = drawn[0], drawn[-1]
                axis.fill_between(after, *ends, color=COLOURS[0], alpha=0.25, label=band)
            axis.tick_params(labelsize=6)
            if number == len(series) - 1:
                axis.set_xlabel("steps after the window", fontsize=8)
            if column == 0:
                axis.set_ylabel(label(series[number]), fontsize=8)
    axes[0, 0].legend(fontsize=6)
    return Picture(figure, f"Forecasts, {len(shown)} of {len(rows)} windows")
