"""What is to be predicted: classes by split, or histograms of regression targets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from hpc_dl.data.dataset import Split, Splits
from hpc_dl.data.show.bars import count_in_whole_numbers, draw_histogram
from hpc_dl.data.show.panels import COLUMNS, INCHES, Panel, and_more
from hpc_dl.tasks.pictures import BESIDE, add_legend
from hpc_dl.tasks.pictures.charts import COLOURS, LINES
from hpc_dl.tasks.pictures.names import INCHES_A_LETTER, label, labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

MOST_CLASSES = 60
"""Classes that have a bar of their own; of more, the counts are drawn in their order."""
MOST_TARGETS = 6
MOST_INCHES = 9.0
"""Of names side by side; longer ones are below each other."""
INCHES_A_BAR = 0.15


def panels(splits: Splits) -> list[Panel]:
    """Return a panel of the classes, or one for each target."""
    facts, by_name = splits.facts, _by_name(splits)
    if facts.classes:
        counts = {name: _count(split, len(facts.classes)) for name, split in by_name.items()}
        return [_classes(counts, facts.classes)]
    targets = {
        name: split.tensors["target"]
        for name, split in by_name.items()
        if "target" in split.tensors
    }
    found = [
        _target(name, {split: it[:, number] for split, it in targets.items()})
        for number, name in enumerate(facts.target_names[:MOST_TARGETS])
    ]
    return [*found, *and_more(len(facts.target_names) - MOST_TARGETS, "targets")]


def _classes(counts: dict[str, list[int]], names: tuple[str, ...]) -> Panel:
    """Return the panel of the classes, whose names have room."""
    title = f"Examples of {len(names)} {'class' if len(names) == 1 else 'classes'}"
    if len(names) > MOST_CLASSES:
        return Panel(title, partial(_draw_many, counts=counts), 2, 2.6)
    shown = labels(names)
    if (inches := _inches(shown)) < MOST_INCHES:
        width = math.ceil((inches + 1.5) * COLUMNS / INCHES)  # of the axis and the legend, too
        return Panel(title, partial(_draw_upright, counts=counts, names=shown), width, 2.6)
    height = max(INCHES_A_BAR * len(names) + 0.5, 1.2)
    return Panel(title, partial(_draw_level, counts=counts, names=shown), 2, height)


def _inches(shown: Sequence[str]) -> float:
    """Return the room of names side by side."""
    return max(map(len, shown)) * INCHES_A_LETTER * len(shown)


def _by_name(splits: Splits) -> dict[str, Split]:
    named = {"training": splits.train, "validation": splits.validation, "test": splits.test}
    return {name: split for name, split in named.items() if len(split)}


def _count(split: Split, classes: int) -> list[int]:
    counts: list[int] = torch.bincount(split.tensors["label"], minlength=classes).tolist()
    return counts


def _target(name: str, values: dict[str, Tensor]) -> Panel:
    return Panel(f"target {label(name)}", partial(draw_histogram, values=values))


def _draw_upright(axis: Axes, counts: dict[str, list[int]], names: list[str]) -> None:
    """Draw the counts of classes by split, one bar upon the other."""
    places, base = np.arange(len(names)), np.zeros(len(names))
    for colour, (split, of_split) in zip(COLOURS, counts.items(), strict=False):
        axis.bar(places, of_split, bottom=base, label=split, color=colour)
        base += of_split
    axis.set_xticks(places, names, fontsize=7)
    _explain(axis, axis.yaxis)


def _draw_level(axis: Axes, counts: dict[str, list[int]], names: list[str]) -> None:
    """Draw the counts of classes by split, one bar beside the other."""
    places, base = np.arange(len(names)), np.zeros(len(names))
    for colour, (split, of_split) in zip(COLOURS, counts.items(), strict=False):
        axis.barh(places, of_split, left=base, label=split, color=colour)
        base += of_split
    axis.set_yticks(places, names, fontsize=7)
    axis.set_ylim(len(names) - 0.4, -0.6)
    _explain(axis, axis.xaxis)


def _draw_many(axis: Axes, counts: dict[str, list[int]]) -> None:
    """Draw the counts of classes in each split as a line, the largest class first."""
    for colour, line, (split, of_split) in zip(COLOURS, LINES, counts.items(), strict=False):
        ordered, places = sorted(of_split, reverse=True), range(len(of_split))
        axis.step(places, ordered, label=split, color=colour, linestyle=line, where="mid")
    axis.set_xlabel("classes, the largest first", fontsize=7)
    count_in_whole_numbers(axis.xaxis)
    _explain(axis, axis.yaxis)


def _explain(axis: Axes, counted: Axis) -> None:
    """Name the axis with the numbers of examples, and the splits."""
    counted.set_label_text("examples", fontsize=7)
    count_in_whole_numbers(counted)
    add_legend(axis, fontsize=6, **BESIDE)
