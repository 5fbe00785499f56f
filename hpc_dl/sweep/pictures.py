"""Pictures of a sweep: each is drawn on the axes that it gets, from the results so far."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.sweep import summary
from hpc_dl.sweep.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize

_INCHES = (7.0, 4.5)
_DPI = 130
_COLOURS, _BEST = "viridis", "crimson"
"""Dark blue is the best value, yellow the worst; and the best of all has a colour of its own."""
_WIDE = 30.0
"""Values whose largest is so many times the smallest get a logarithmic axis."""
_LONGEST = 18


def save(found: Results, folder: Path) -> list[Path]:
    """Draw each picture into a file of its own in `folder`, and return the files."""
    from matplotlib.figure import Figure

    files = []
    for name, draw in _drawn(found).items():
        figure = Figure(figsize=_INCHES, layout="constrained")
        draw(figure.subplots(), found)
        files.append(folder / f"{name}.png")
        figure.savefig(files[-1], dpi=_DPI)
    return files


def save_together(found: Results, path: Path, title: str) -> None:
    """Draw all pictures as panels of one figure; the suffix of `path` says the form."""
    from matplotlib.figure import Figure

    drawn = _drawn(found)
    rows = math.ceil(len(drawn) / 2)
    figure = Figure(figsize=(2 * _INCHES[0], rows * _INCHES[1]), layout="constrained")
    panels = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes, draw in zip(panels, drawn.values(), strict=False):
        draw(axes, found)
    for axes in panels[len(drawn) :]:
        axes.set_axis_off()
    figure.suptitle(title, parse_math=False)
    figure.savefig(path, dpi=_DPI)


def _drawn(found: Results) -> dict[str, Callable[[Axes, Results], None]]:
    """Return the pictures that there is something to draw in."""
    drawn: dict[str, Callable[[Axes, Results], None]] = {}
    if found.ranked:
        drawn["best_so_far"] = best_so_far
        if found.options:
            drawn["parallel_coordinates"] = parallel_coordinates
    if found.importance:
        drawn["importance"] = bars_of_importance
    if found.curves:
        drawn["learning_curves"] = learning_curves
    return drawn


# ---- the best value so far


def best_so_far(axes: Axes, found: Results) -> None:
    """Draw the value of each result in the order of their ends, and the best so far as a line."""
    steps = found.best_so_far
    label = "best so far" + (" (mean of the seeds)" if found.has_seeds else "")
    values = [it.value or 0.0 for it in found.results.values() if summary.has_value(it)]
    axes.plot(range(1, len(values) + 1), values, "o", color="0.6", markersize=4, label="results")
    axes.step(
        [it.number for it in steps],
        [it.score for it in steps],
        where="post",
        color=_BEST,
        label=label,
    )
    _scale(axes.set_yscale, values)
    axes.set_xlabel("results, in the order of their ends")
    axes.set_ylabel(found.metric)
    axes.set_title("best value so far")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


# ---- learning curves


def learning_curves(axes: Axes, found: Results) -> None:
    """Draw the metric of every trial over its steps, coloured by the score; the best on top."""
    from matplotlib.collections import LineCollection

    shade, norm = _shades(found)
    best = found.ranked[0] if found.ranked else None
    of_trial = {one.trial.number: it for it in found.ranked for one in it.trials}
    for curve in found.curves.values():
        if len(curve) == 1:
            axes.plot(*zip(*curve.items(), strict=True), "o", markersize=3, color="0.7")
    lines, colours = [], []
    for number, curve in found.curves.items():
        one = of_trial.get(number)
        if one is not best or best is None:
            lines.append(sorted(curve.items()))
            colours.append(shade(norm(one.score)) if one and one.score is not None else "0.8")
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=0.9, alpha=0.8))
    for trial in best.trials if best else ():
        curve = found.curves.get(trial.trial.number, {})
        axes.plot(sorted(curve), [curve[it] for it in sorted(curve)], color=_BEST, linewidth=2)
    axes.autoscale_view()
    _scale(axes.set_yscale, [it for curve in found.curves.values() for it in curve.values()])
    axes.set_xlabel("step")
    axes.set_ylabel(found.metric)
    axes.set_title(f"learning curves of {len(found.curves)} trials (red: the best)")
    axes.grid(alpha=0.3)
    _colour_bar(axes, found)


# ---- parallel coordinates


def parallel_coordinates(axes: Axes, found: Results) -> None:
    """Draw each configuration as a line over one vertical axis an option, and one of the score."""
    from matplotlib.collections import LineCollection

    scores, shade, norm = found.scores, *_shades(found)
    columns = [
        *(_Column.of(it, [one.values.get(it, _ABSENT) for one in found.ranked])
          for it in found.options),
        _Column.of(found.metric, scores),
    ]  # fmt: skip
    heights = [it.heights for it in columns]
    lines = [list(enumerate(points)) for points in zip(*heights, strict=True)]
    colours = [shade(norm(score)) for score in scores]
    last_first = slice(None, None, -1)  # good ones above bad ones
    axes.add_collection(
        LineCollection(lines[last_first], colors=colours[last_first], linewidths=0.9, alpha=0.7)
    )
    axes.plot(*zip(*lines[0], strict=True), color=_BEST, linewidth=2.2)
    for at, column in enumerate(columns):
        axes.axvline(at, color="0.3", linewidth=0.8)
        for height, label in column.ticks:
            axes.annotate(
                label,
                (at, height),
                xytext=(3, 0),
                textcoords="offset points",
                fontsize="x-small",
                verticalalignment="center",
                parse_math=False,
                bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6},
            )
    axes.set_xlim(-0.1, len(columns) - 1 + 0.35)
    axes.set_ylim(-0.06, 1.06)
    axes.set_xticks(range(len(columns)), [it.name for it in columns], fontsize="small")
    if len(columns) > _UPRIGHT:
        axes.tick_params("x", rotation=20)
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title("parallel coordinates (red: the best)")


_ABSENT = object()
_UPRIGHT = 4
"""Names beside each other, before they are turned."""


@dataclass(frozen=True)
class _Column:
    """An axis of parallel coordinates: where each value lies, from 0 to 1, and its labels."""

    name: str
    heights: list[float]
    ticks: list[tuple[float, str]]

    @classmethod
    def of(cls, name: str, values: Sequence[Any]) -> _Column:
        having = [it for it in values if it is not _ABSENT]
        if not all(map(_is_number, having)):
            labels = [_label(it) for it in values]
            known = sorted(set(labels))
            at = {label: _share(number, 0, len(known) - 1) for number, label in enumerate(known)}
            return cls(name, [at[it] for it in labels], [(at[it], it) for it in _some(known)])
        numbers = cls._of_numbers(name, having)
        if len(having) == len(values):
            return numbers
        above = iter([_raised(it) for it in numbers.heights])
        heights = [0.0 if it is _ABSENT else next(above) for it in values]
        ticks = [(_raised(at), label) for at, label in numbers.ticks]
        return cls(name, heights, [(0.0, _label(_ABSENT)), *ticks])

    @classmethod
    def _of_numbers(cls, name: str, values: Sequence[float]) -> _Column:
        scaled = math.log if _is_wide(values) else float
        low, high = scaled(min(values)), scaled(max(values))
        heights = [_share(scaled(it), low, high) for it in values]
        every = dict(sorted(zip(heights, values, strict=True)))
        if len(every) <= _MOST_TICKS:
            return cls(name, heights, [(at, _number(it)) for at, it in every.items()])
        back = math.exp if scaled is math.log else float
        shares = [number / (_TICKS - 1) for number in range(_TICKS)]
        ticks = [(it, f"{back(low + it * (high - low)):.3g}") for it in shares]
        return cls(name, heights, ticks)


_TICKS, _MOST_TICKS = 5, 8
"""Labels of an axis with any number of values, and the most of one that labels each."""
_GAP = 0.12
"""Between configurations without an option and those with its lowest value."""


def _raised(height: float) -> float:
    return _GAP + (1 - _GAP) * height


def _some(labels: Sequence[str]) -> Sequence[str]:
    return labels[:: math.ceil(len(labels) / (2 * _MOST_TICKS))]


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _share(value: float, low: float, high: float) -> float:
    return 0.5 if high == low else (value - low) / (high - low)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_wide(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) > _WIDE * min(values)


def _label(value: Any) -> str:
    if value is _ABSENT:
        return "—"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


# ---- importance of the options


def bars_of_importance(axes: Axes, found: Results) -> None:
    """Draw a bar for each option, the most important at the top."""
    names = list(found.importance)
    axes.barh(range(len(names)), list(found.importance.values()), color="steelblue")
    axes.set_yticks(range(len(names)), names, fontsize="small", parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel(f"share in what makes a good {found.metric} (PED-ANOVA)")
    axes.set_title("importance of options")
    axes.grid(axis="x", alpha=0.3)


# ---- common parts


def _shades(found: Results) -> tuple[Callable[[float], Any], Normalize]:
    """Return the colours of scores; one much worse than most does not make all others alike."""
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    scores = found.scores  # the best first
    if not scores:
        return colormaps[_COLOURS], Normalize(0, 1)
    best, bad = scores[0], scores[math.ceil(0.9 * (len(scores) - 1))]
    name = _COLOURS if found.goal == "minimize" else f"{_COLOURS}_r"
    return colormaps[name], Normalize(min(best, bad), max(best, bad), clip=True)


def _colour_bar(axes: Axes, found: Results) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap

    shade, norm = _shades(found)
    if len(found.ranked) > 1 and isinstance(shade, Colormap):
        bar = axes.figure.colorbar(ScalarMappable(norm, shade), ax=axes, extend="both")
        bar.set_label(f"best {found.metric}" + (", mean of the seeds" if found.has_seeds else ""))


def _scale(set_scale: Callable[[str], None], values: Sequence[float]) -> None:
    if values and _is_wide(values):
        set_scale("log")
