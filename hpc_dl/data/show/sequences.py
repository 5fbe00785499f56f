"""Sequences: their lengths, their values, and the curves of some."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hpc_dl.data.dataset import Batch, Splits
from hpc_dl.data.ragged import RaggedSplit
from hpc_dl.data.show.bars import count_in_whole_numbers, draw_histogram
from hpc_dl.data.show.panels import Panel
from hpc_dl.data.show.samples import sample
from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.tasks.pictures import add_legend
from hpc_dl.tasks.pictures.charts import COLOURS
from hpc_dl.tasks.pictures.names import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_EXAMPLES, MOST_CURVES = 256, 6
MOST_FEATURES = len(COLOURS)
MOST_POINTS = 2000
"""Of a curve; a longer one is thinned."""
FAR_APART = 20
"""From this ratio on scales have no room in one drawing."""


def panels(splits: Splits, options: Data) -> list[Panel]:
    """Return curves of some examples, values of more, and the lengths of all.

    Features whose scales are far apart are standardised in the curves: all but one would be flat.
    """
    facts, chosen = splits.facts, sample(len(splits.train), MOST_EXAMPLES, options.split_seed)
    batch = splits.train.batch(chosen)
    names, real = _features(facts), _real(batch)
    scale = _scale(real[:, : len(names)])
    rows = range(min(MOST_CURVES, len(chosen)))
    curves = [_curves(batch, row, facts, names, scale) for row in rows]
    values = [
        _values(f"{name}, of {len(chosen)} training examples", real[:, number])
        for number, name in enumerate(names)
    ]
    return [*curves, *values, *lengths(splits, "sequence", "steps")]


def _values(title: str, values: Tensor) -> Panel:
    return Panel(title, partial(draw_histogram, values={title: values}, counted="time steps"))


def _scale(values: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return means and deviations of features (n, F) whose scales are far apart."""
    deviations, means = torch.std_mean(values.double(), dim=0, correction=0)
    deviations = torch.where(deviations > 0, deviations, 1)
    sizes = torch.maximum(deviations, means.abs())
    is_apart = values.isfinite().all() and sizes.max() > FAR_APART * sizes.min()
    return (means, deviations) if is_apart else None


def lengths(splits: Splits, name: str, unit: str) -> list[Panel]:
    """Return a histogram of the lengths of examples that differ; nothing of others."""
    train = splits.train
    if not isinstance(train, RaggedSplit):
        return []
    counts = {"training": train.ragged[name].lengths}
    return [
        Panel(f"Lengths of training examples, in {unit}", partial(draw_histogram, values=counts))
    ]


def _features(facts: DataFacts) -> list[str]:
    """Return the names of the features that are drawn."""
    known = facts.inputs["sequence"].vocabulary or facts.columns
    count = min(facts.shape[-1], MOST_FEATURES)
    return [label(known[it]) if it < len(known) else f"feature {it}" for it in range(count)]


def _curves(
    batch: Batch,
    row: int,
    facts: DataFacts,
    names: list[str],
    scale: tuple[Tensor, Tensor] | None,
) -> Panel:
    """Return the curves of an example, titled with its class or target."""
    values, title = batch["sequence"][row], f"example {int(batch['index'][row])}"
    if "sequence_length" in batch:
        values = values[: int(batch["sequence_length"][row])]
    if facts.classes:
        title += f": {label(facts.classes[int(batch['label'][row])])}"
    if facts.target_names:
        title += f": {label(facts.target_names[0])} {float(batch['target'][row, 0]):.4g}"
    more = facts.shape[-1] - len(names)
    title += f" ({len(names)} of {facts.shape[-1]} features)" if more else ""
    values = values[:, : len(names)]
    if scale:
        values = (values - scale[0]) / scale[1]
    named = names if row == 0 else []
    return Panel(title, partial(_draw, values=values, names=named, is_scaled=scale is not None))


def _draw(axis: Axes, values: Tensor, names: list[str], *, is_scaled: bool) -> None:
    """Draw curves (T, F), with a legend if there are names."""
    apart = max(len(values) // MOST_POINTS, 1)
    steps = torch.arange(len(values))[::apart]
    for number in range(values.shape[1]):
        name = names[number] if names else None
        points = values[::apart, number]
        mark = "." if len(steps) == 1 else None
        axis.plot(steps, points, color=COLOURS[number], label=name, linewidth=0.9, marker=mark)
    if is_scaled:
        axis.set_ylabel("standardised", fontsize=7)
    count_in_whole_numbers(axis.xaxis)
    if len(names) > 1:
        add_legend(axis, fontsize=6)


def _real(batch: Batch) -> Tensor:
    """Return the time steps of all examples (n, F), without padding."""
    values = batch["sequence"]
    if "sequence_length" not in batch:
        return values.flatten(0, 1)
    real = torch.arange(values.shape[1]) < batch["sequence_length"][:, None]
    return values[real]
