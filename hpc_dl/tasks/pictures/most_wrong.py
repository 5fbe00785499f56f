"""The images that a classifier is most wrong about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.contract import Batch
from hpc_dl.tasks.pictures.grids import drawable, grid
from hpc_dl.tasks.pictures.names import labels

COUNT = 32
LONGEST = 12
"""Most characters of a class above an image."""


class MostWrong:
    """Collects, over batches, the images whose true class is predicted with least probability."""

    def __init__(self) -> None:
        self.kept: dict[str, Tensor] = {}

    def update(self, batch: Batch, probabilities: Tensor) -> None:
        """Add a batch: `image` (B, C, H, W) with its labels, and (B, classes)."""
        image, label = batch["image"], batch["label"]
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

    def artifacts(self, names: Sequence[str]) -> Mapping[str, Picture]:
        """Return a picture of them, with the names of their classes."""
        pairs = zip(self.kept["predicted"].tolist(), self.kept["label"].tolist(), strict=True)
        shown = labels(names, LONGEST)
        cells = [shown[a] if a == b else f"{shown[a]}\nnot {shown[b]}" for a, b in pairs]
        picture = grid(self.kept["image"], 8, "Images it is most wrong about", cells=cells)
        return {"most_wrong": picture}
