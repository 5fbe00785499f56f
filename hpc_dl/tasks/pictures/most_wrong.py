"""The images or clips that a classifier is most wrong about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.contract import Batch
from hpc_dl.tasks.pictures.grids import drawable, grid
from hpc_dl.tasks.pictures.names import labels

FRAMES = 8
"""Most frames of a clip that are drawn, side by side."""
LONGEST = 12
"""Most characters of a class above an image."""


class MostWrong:
    """Collects, over batches, the images whose true class is predicted with least probability."""

    count: ClassVar[int] = 32
    columns: ClassVar[int] = 8
    nouns: ClassVar[str] = "Images"

    def __init__(self) -> None:
        self.kept: dict[str, Tensor] = {}

    def images(self, batch: Batch) -> Tensor:
        """Return what is drawn of a batch's examples, (B, C, H, W)."""
        return batch["image"]

    def update(self, batch: Batch, probabilities: Tensor) -> None:
        """Add a batch of examples with their labels, and (B, classes)."""
        label = batch["label"]
        new = {
            "error": 1 - probabilities.gather(1, label[:, None])[:, 0],
            "image": drawable(self.images(batch)),
            "label": label,
            "predicted": probabilities.argmax(dim=1),
        }
        if self.kept:
            new = {name: torch.cat([self.kept[name], value]) for name, value in new.items()}
        order = new["error"].argsort(descending=True, stable=True)[: self.count]
        self.kept = {name: value[order] for name, value in new.items()}

    def artifacts(self, names: Sequence[str]) -> Mapping[str, Picture]:
        """Return a picture of them, with the names of their classes."""
        pairs = zip(self.kept["predicted"].tolist(), self.kept["label"].tolist(), strict=True)
        shown = labels(names, LONGEST)
        cells = [shown[a] if a == b else f"{shown[a]}\nnot {shown[b]}" for a, b in pairs]
        caption = f"{self.nouns} it is most wrong about"
        picture = grid(self.kept["image"], self.columns, caption, cells=cells)
        return {"most_wrong": picture}


class MostWrongClips(MostWrong):
    """Collects clips likewise, and draws frames of each, from the first to the last."""

    count, columns, nouns = 16, 2, "Clips"

    def images(self, batch: Batch) -> Tensor:
        """Return strips of frames of the `video` (B, T, C, H, W), with grey lines between them: (B,
        C, H, frames * (W + 1))."""
        video = batch["video"]
        steps = video.shape[1]
        chosen = [round(it * (steps - 1) / (FRAMES - 1)) for it in range(FRAMES)]
        frames = [F.pad(video[:, it], (0, 1), value=0.5) for it in dict.fromkeys(chosen)]
        return torch.cat(frames, dim=-1)
