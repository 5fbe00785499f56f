"""Sequences: their lengths, their values, and the curves of some."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hpc_dl.data.dataset import Batch, Splits
from hpc_dl.data.ragged import RaggedSplit
from hpc_dl.data.show.bars import draw_histogram
from hpc_dl.data.show.panels import Panel
from hpc_dl.data.show.samples import sample
from hpc_dl.jobspec.data import Data, DataFacts
from hpc_dl.tasks.pictures import add_legend
from hpc_dl.tasks.pictures.charts import COLOURS
from hpc_dl.tasks.pictures.names import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_EXAMPLES, MOST_CURVES = 256, 6
MOST_FEATURES = len(COLOURS)
MOST_POINTS = 2000
"""Of a curve; a longer one is thinned."""


def panels(splits: Splits, options: Data) -> list[Panel]:
    """Return curves of some examples, values of more, and the lengths of all."""
    facts, chosen = splits.facts, sample(len(splits.train), MOST_EXAMPLES, options.split_seed)
    batch = splits.train.batch(chosen)
    names = _features(facts)
    curves = [_curves(batch, row, facts, names) for row in range(min(MOST_CURVES, len(chosen)))]
    real = _real(batch)
    values = {name: real[:, number] for number, name in enumerate(names)}
    title = f"Values of {len(chosen)} training examples"
    counted = partial(draw_histogram, values=values, counted="time steps")
    return [*curves, Panel(title, counted), *lengths(splits, "sequence", "steps")]


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


def _curves(batch: Batch, row: int, facts: DataFacts, names: list[str]) -> Panel:
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
    return Panel(title, partial(_draw, values=values, names=names if row == 0 else []))


def _draw(axis: Axes, values: Tensor, names: list[str]) -> None:
    """Draw curves (T, F), with a legend if there are names."""
    apart = max(len(values) // MOST_POINTS, 1)
    steps = torch.arange(len(values))[::apart]
    for number in range(min(values.shape[1], MOST_FEATURES)):
        name = names[number] if names else None
        points = values[::apart, number]
        mark = "." if len(steps) == 1 else None
        axis.plot(steps, points, color=COLOURS[number], label=name, linewidth=0.9, marker=mark)
    if len(names) > 1:
        add_legend(axis, fontsize=6)


def _real(batch: Batch) -> Tensor:
    """Return the time steps of all examples (n, F), without padding."""
    values = batch["sequence"]
    if "sequence_length" not in batch:
        return values.flatten(0, 1)
    real = torch.arange(values.shape[1]) < batch["sequence_length"][:, None]
    return values[real]
