"""Curves of groups of runs as a figure: a panel a metric, a colour a group, seeds as a band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.comparison import curves as curve_files
from hpc_dl.comparison.curves import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES = (5.0, 3.6)
"""Of a panel."""
_CYCLE = 10
"""Colours that matplotlib tells apart by itself."""


def save(groups: Mapping[str, Sequence[Mapping[str, Curve]]], path: Path) -> None:
    """Draw groups, by label the curves of each run; the suffix of `path` says the form."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    metrics = curve_files.names([one for runs in groups.values() for one in runs])
    figure = Figure(figsize=(_INCHES[0] * len(metrics), _INCHES[1]), layout="constrained")
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    shades = colormaps["viridis"].resampled(len(groups))
    for number, (label, runs) in enumerate(groups.items()):
        colour = f"C{number}" if len(groups) <= _CYCLE else shades(number)
        for axes, metric in zip(panels, metrics, strict=True):
            found = [one[metric] for one in runs if one.get(metric)]
            axes.plot([], [], color=colour, label=label)  # in the legend, whatever it has
            _draw(axes, found, colour)
    for axes, metric in zip(panels, metrics, strict=True):
        axes.set_title(metric)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", fontsize="small")
    figure.savefig(path, dpi=150)


def _draw(axes: Axes, found: Sequence[Curve], colour: object) -> None:
    """Draw the mean and its deviation; each curve alone where they share too few steps."""
    mean = curve_files.band(found) if len(found) > 1 else None
    if mean is None or len(mean.steps) < min(2, *map(len, found)):
        for curve in found:
            _line(axes, sorted(curve), [curve[step] for step in sorted(curve)], colour)
        return
    _line(axes, mean.steps, mean.means, colour)
    pairs = list(zip(mean.means, mean.deviations, strict=True))
    low, high = [mid - sd for mid, sd in pairs], [mid + sd for mid, sd in pairs]
    axes.fill_between(mean.steps, low, high, color=colour, alpha=0.2, linewidth=0)


def _line(axes: Axes, steps: Sequence[int], values: Sequence[float], colour: object) -> None:
    axes.plot(steps, values, color=colour, marker="o" if len(steps) == 1 else "")
