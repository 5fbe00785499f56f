"""torchvision's data sets of pictures with a class each, as tensors in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hpc_dl.data import libraries
from hpc_dl.data.counts import Holdout, split_counts
from hpc_dl.data.split import Split, Tensors
from hpc_dl.errors import UserError
from hpc_dl.spec.data import DataFacts
from hpc_dl.spec.sources import TorchVision
from hpc_dl.vision import torchvision

_VALUES = {"train": "train", "validation": "val", "test": "test"}
"""What torchvision calls the splits."""


def load(source: TorchVision, data_root: Path) -> tuple[DataFacts, Mapping[str, Split]]:
    """The splits that the data set has, or all of it to be divided.

    Raises UserError where it is not staged, or holds anything but pictures with a class.
    """
    root = Path(source.root).expanduser() if source.root else data_root / "torchvision"
    datasets = dict(_datasets(source, root))
    given = {n: _tensors(it, source, f"{source.name}: {n}") for n, it in datasets.items()}
    shapes = {tuple(tensors["image"].shape[1:]) for tensors in given.values()}
    if len(shapes) > 1:
        raise _mixed(f"{source.name}: the splits", shapes)
    there = {name: len(tensors["label"]) for name, tensors in given.items()}
    sizes = split_counts(there, Holdout.of(source))
    classes = _classes(datasets["train"], 1 + max(int(it["label"].max()) for it in given.values()))
    facts = DataFacts("image", "classify", shapes.pop(), classes, *sizes)
    return facts, {name: Split(tensors) for name, tensors in given.items()}


def _datasets(source: TorchVision, root: Path) -> Iterator[tuple[str, Any]]:
    """By name of the split; which of them there are, the class's options tell."""
    kind = libraries.class_of(source, torchvision("datasets"))
    if libraries.takes(kind, "train"):
        for name in ("train", "test"):
            yield name, libraries.make(source, kind, root, train=name == "train")
    elif libraries.takes(kind, "split") and "split" not in source.options:
        for name, value in _VALUES.items():
            try:
                yield name, libraries.make(source, kind, root, split=value)
            except ValueError:  # it has no such split
                if name == "train":
                    raise
    else:
        yield "train", libraries.make(source, kind, root)


def _tensors(dataset: Any, source: TorchVision, where: str) -> Tensors:
    """Bytes (N, C, H, W) and classes (N,)."""
    images, labels = [], []
    for number in range(len(dataset)):
        picture, label = dataset[number]
        if not isinstance(picture, Image.Image) or not isinstance(label, int | np.integer):
            raise UserError(f"{where} is not of pictures with one class each")
        images.append(_bytes(picture, source.size))
        labels.append(int(label))
    if shapes := {tuple(image.shape) for image in images} - {tuple(images[0].shape)}:
        raise _mixed(where, {tuple(images[0].shape), *shapes})
    return {"image": torch.stack(images), "label": torch.tensor(labels)}


def _bytes(picture: Image.Image, size: list[int] | None) -> Tensor:
    flat = picture if picture.mode == "L" else picture.convert("RGB")
    if size:
        flat = flat.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(flat))
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)


def _classes(dataset: Any, count: int) -> tuple[str, ...]:
    """The data set's own names of the classes, where it has them."""
    names = list(getattr(dataset, "classes", ()))
    return tuple(map(str, names if len(names) >= count else range(count)))


def _mixed(where: str, shapes: set[tuple[int, ...]]) -> UserError:
    return UserError(
        f"{where} are of mixed sizes: {', '.join(map(str, sorted(shapes)[:4]))}",
        hint="Give the height and width to resize to: data.size: [64, 64].",
    )
