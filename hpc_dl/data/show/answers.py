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
from hpc_dl.data.show.bars import draw_histogram
from hpc_dl.data.show.panels import COLUMNS, INCHES, Panel
from hpc_dl.tasks.pictures import BESIDE, add_legend
from hpc_dl.tasks.pictures.charts import COLOURS
from hpc_dl.tasks.pictures.names import INCHES_A_LETTER, label, labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CLASSES = 60
"""Classes that have a bar of their own; of more, the counts are drawn in their order."""
MOST_TARGETS = 6
MOST_INCHES = 9.0
"""Of names side by side; longer ones are turned."""


def panels(splits: Splits) -> list[Panel]:
    """Return a panel of the classes, or one for each target."""
    facts, by_name = splits.facts, _by_name(splits)
    if facts.classes:
        counts = {name: _count(split, len(facts.classes)) for name, split in by_name.items()}
        title = f"Examples of {len(facts.classes)} classes"
        draw = partial(_draw_classes, counts=counts, names=facts.classes)
        return [Panel(title, draw, _width(facts.classes), 2.6)]
    targets = {
        name: split.tensors["target"]
        for name, split in by_name.items()
        if "target" in split.tensors
    }
    return [
        _target(name, {split: it[:, number] for split, it in targets.items()})
        for number, name in enumerate(facts.target_names[:MOST_TARGETS])
    ]


def _width(names: Sequence[str]) -> int:
    """Return the columns that a panel of classes takes."""
    inches = _inches(labels(names)) + 1.5  # of the axis and the legend
    return min(math.ceil(inches * COLUMNS / INCHES), COLUMNS)


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


def _draw_classes(axis: Axes, counts: dict[str, list[int]], names: tuple[str, ...]) -> None:
    """Draw the counts of classes by split, one bar upon the other; of many, as lines."""
    places, base = np.arange(len(names)), np.zeros(len(names))
    for number, (split, of_split) in enumerate(counts.items()):
        if len(names) > MOST_CLASSES:
            ordered = sorted(of_split, reverse=True)
            axis.step(places, ordered, label=split, color=COLOURS[number], where="mid")
        else:
            axis.bar(places, of_split, bottom=base, label=split, color=COLOURS[number])
        base += of_split
    if len(names) > MOST_CLASSES:
        axis.set_xlabel("classes, the largest first", fontsize=7)
    else:
        shown = labels(names)
        turned = 0 if _inches(shown) < MOST_INCHES else 90
        axis.set_xticks(places, shown, rotation=turned, fontsize=7)
    axis.set_ylabel("examples", fontsize=7)
    add_legend(axis, fontsize=6, **BESIDE)
