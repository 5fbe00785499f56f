"""The images that a classifier is most wrong about."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.pictures.grids import drawable, grid
from hpc_dl.tasks.pictures.names import labels

COUNT = 32
LONGEST = 12
"""Most characters of a class above an image."""


class MostWrong:
    """Collects, over batches, the images whose true class is predicted with least probability."""

    def __init__(self) -> None:
        self.kept: dict[str, Tensor] = {}

    def update(self, image: Tensor, probabilities: Tensor, label: Tensor) -> None:
        """Add a batch: images (B, C, H, W), (B, classes) and (B,) int64."""
        new = {
            "error": 1 - probabilities.gather(1, label[:, None])[:, 0],
            "image": drawable(image),
            "label": label,
            "predicted": probabilities.argmax(dim=1),
        }
        if self.kept:
            new = {name: torch.cat([self.kept[name], value]) for name, value in new.items()}
        order = new["error"].argsort(descending=True, stable=True)[:COUNT]
        self.kept = {name: value[order] for name, value in new.items()}

    def picture(self, names: Sequence[str]) -> Picture:
        """Draw them, with the names of their classes."""
        pairs = zip(self.kept["predicted"].tolist(), self.kept["label"].tolist(), strict=True)
        shown = labels(names, LONGEST)
        cells = [shown[a] if a == b else f"{shown[a]}\nnot {shown[b]}" for a, b in pairs]
        return grid(self.kept["image"], 8, "Images it is most wrong about", cells=cells)
