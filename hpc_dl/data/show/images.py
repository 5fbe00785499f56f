"""Images: some training examples of each class, and how they look after augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from hpc_dl.data.dataset import Batch, Splits
from hpc_dl.data.show.panels import COLUMNS, INCHES, Panel
from hpc_dl.data.show.samples import sample
from hpc_dl.data.transforms.augment import Augmentation
from hpc_dl.jobspec.data import Augment, Data
from hpc_dl.tasks.pictures.grids import draw_grid
from hpc_dl.tasks.pictures.names import labels

ACROSS = 12
"""Images in a row."""
MOST_ROWS = 10
"""Classes with a row of their own; of more, each has one image."""
LONGEST = 14
HIGHEST = 1.5
"""The most inches of a row."""


@dataclass(frozen=True)
class _Choice:
    """Positions of examples row by row, -1 for none, and the names of rows or of examples."""

    positions: Tensor
    rows: Sequence[str] = ()
    cells: Sequence[str] = ()
    title: str = "Training examples"


def panels(splits: Splits, options: Data) -> list[Panel]:
    """Return a grid of examples, and one of the same examples augmented."""
    choice = _choose(splits, options.split_seed)
    chosen = choice.positions[choice.positions >= 0]
    batch = splits.train.batch(chosen)
    found = [_panel(choice, batch["image"], choice.title)]
    if options.augment:
        title = f"The same with data.augment: {_describe(options.augment)}"
        found.append(_panel(choice, _augmented(batch, options.augment, options), title))
    return found


def _choose(splits: Splits, seed: int) -> _Choice:
    train, facts = splits.train, splits.facts
    order = sample(len(train), len(train), seed)
    if not facts.classes:
        return _Choice(order[: ACROSS * MOST_ROWS // 2])
    by_class = _by_class(order, train.tensors["label"].cpu()[order], len(facts.classes))
    there = [number for number, positions in enumerate(by_class) if len(positions)]
    if len(there) > MOST_ROWS:
        there = there[: ACROSS * MOST_ROWS // 2]
        shown = labels(facts.classes, LONGEST)
        title = f"Training examples of {len(there)} of {len(facts.classes)} classes"
        one_each = torch.stack([by_class[number][0] for number in there])
        return _Choice(one_each, cells=[shown[number] for number in there], title=title)
    across = min(ACROSS, max(len(by_class[number]) for number in there))
    rows = torch.full((len(there), across), -1)
    for row, number in zip(rows, there, strict=True):
        of_class = by_class[number][:across]
        row[: len(of_class)] = of_class
    return _Choice(rows.flatten(), rows=[facts.classes[number] for number in there])


def _by_class(order: Tensor, label: Tensor, classes: int) -> list[Tensor]:
    """Return the first positions of each class, of positions in an `order` (N,)."""
    counts = torch.bincount(label, minlength=classes)
    in_classes = order[label.argsort(stable=True)].split(counts.tolist())
    return [positions[:ACROSS] for positions in in_classes]


def _panel(choice: _Choice, images: Tensor, title: str) -> Panel:
    """Return the grid of the images chosen, with white ones where a class has no more."""
    every = torch.ones(len(choice.positions), *images.shape[1:])
    every[choice.positions >= 0] = images
    down = len(choice.rows) or -(-len(every) // ACROSS)
    across = len(every) // down if choice.rows else min(ACROSS, len(every))
    height = min(INCHES / max(across, 6) * images.shape[-2] / images.shape[-1], HIGHEST)
    draw = partial(draw_grid, images=every, columns=across, rows=choice.rows, cells=choice.cells)
    return Panel(title, draw, COLUMNS, max(down * height, 0.8) + 0.2)


def _augmented(batch: Batch, augment: Augment, options: Data) -> Tensor:
    """Return the images of a batch as a step of the training may see them."""
    augmentation = Augmentation(augment, "image", torch.device("cpu"))
    (changed,) = augmentation.of([batch], (options.split_seed,))
    return changed["image"]


def _describe(augment: Augment) -> str:
    asked = augment.model_dump(exclude_defaults=True)
    return ", ".join(name if value is True else f"{name} {value}" for name, value in asked.items())
