"""Images: some training examples of each class, and how they look after augmentation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from hpc_dl.data.dataset import Batch, Split, Splits
from hpc_dl.data.show.panels import COLUMNS, INCHES, Panel
from hpc_dl.data.show.samples import sample
from hpc_dl.data.transforms import augmentation
from hpc_dl.jobspec.data import AnyAugment, Data
from hpc_dl.tasks.pictures.grids import GAP, draw_grid, elongation, gap_of
from hpc_dl.tasks.pictures.names import labels

ACROSS = 12
"""Square images in a row; there are fewer wide ones."""
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


def panels(splits: Splits, options: Data, code: Path) -> list[Panel]:
    """Return a grid of examples, and one of the same examples augmented."""
    choice = _choose(splits, options.split_seed)
    chosen = choice.positions[choice.positions >= 0]
    batch = splits.train.batch(chosen)
    found = [_panel(choice, batch["image"], choice.title)]
    if options.augment:
        title = f"The same with data.augment: {_describe(options.augment)}"
        found.append(
            _panel(choice, _augmented(batch, options.augment, options.split_seed, code), title)
        )
    return found


def _choose(splits: Splits, seed: int) -> _Choice:
    train, facts = splits.train, splits.facts
    order, in_a_row = sample(len(train), len(train), seed), _in_a_row(facts.shape)
    if not facts.classes:
        chosen = order[: in_a_row * MOST_ROWS // 2]
        return _Choice(chosen, cells=_targets(train, chosen))
    by_class = _by_class(order, train.tensors["label"].cpu()[order], len(facts.classes))
    there = [number for number, positions in enumerate(by_class) if len(positions)]
    if len(there) > MOST_ROWS:
        there = there[: in_a_row * MOST_ROWS // 2]
        shown, every = labels(facts.classes, LONGEST), len(facts.classes)
        some = f"{len(there)} of " if len(there) < every else ""
        title = f"Training examples of {some}{every} classes"
        one_each = torch.stack([by_class[number][0] for number in there])
        return _Choice(one_each, cells=[shown[number] for number in there], title=title)
    across = min(in_a_row, max(len(by_class[number]) for number in there))
    rows = torch.full((len(there), across), -1)
    for row, number in zip(rows, there, strict=True):
        of_class = by_class[number][:across]
        row[: len(of_class)] = of_class
    return _Choice(rows.flatten(), rows=[facts.classes[number] for number in there])


def _in_a_row(shape: Sequence[int]) -> int:
    """Return how many images of a shape (..., H, W) are side by side."""
    height, width = shape[-2:]
    return max(round(ACROSS / math.sqrt(max(width / height, 1))), 1)


def _targets(split: Split, chosen: Tensor) -> list[str]:
    """Return the first target of each example, to stand above its image."""
    values = split.tensors["target"][chosen] if "target" in split.tensors else torch.empty(0, 1)
    return [f"{value:.3g}" for value in values[:, 0].tolist()]


def _by_class(order: Tensor, label: Tensor, classes: int) -> list[Tensor]:
    """Return the first positions of each class, of positions in an `order` (N,)."""
    counts = torch.bincount(label, minlength=classes)
    in_classes = order[label.argsort(stable=True)].split(counts.tolist())
    return [positions[:ACROSS] for positions in in_classes]


def _panel(choice: _Choice, images: Tensor, title: str) -> Panel:
    """Return the grid of the images chosen, with white ones where a class has no more."""
    every = torch.ones(len(choice.positions), *images.shape[1:])
    every[choice.positions >= 0] = images
    in_a_row = _in_a_row(images.shape)
    down = len(choice.rows) or -(-len(every) // in_a_row)
    across = len(every) // down if choice.rows else min(in_a_row, len(every))
    height = min(INCHES / max(across, in_a_row / 2) / elongation(images), HIGHEST)
    height *= (1 + gap_of(images, choice.cells)) / (1 + GAP)
    draw = partial(draw_grid, images=every, columns=across, rows=choice.rows, cells=choice.cells)
    return Panel(title, draw, COLUMNS, max(down * height, 0.8) + 0.2)


def _augmented(batch: Batch, augment: AnyAugment, seed: int, code: Path) -> Tensor:
    """Return the images of a batch as a step of the training may see them."""
    change = augmentation(augment, "image", torch.device("cpu"), code)
    (changed,) = change.of([batch], (seed,))
    return changed["image"]


def _describe(augment: AnyAugment) -> str:
    asked = augment.model_dump(exclude_defaults=True)
    return ", ".join(name if value is True else f"{name} {value}" for name, value in asked.items())
