"""torchvision's data sets of pictures with a class each, as tensors in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hpc_dl.data import library_source
from hpc_dl.data.counts import Holdout, split_facts
from hpc_dl.data.dataset import Split, Tensors
from hpc_dl.data.labels import note_similar_names
from hpc_dl.data.pictures.decoding import decode, is_grey
from hpc_dl.data.pictures.split_folders import refuse_as_classes, refuse_masks
from hpc_dl.data.source import Loaded
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.sources.torchvision import TorchVision
from hpc_dl.torchvision_compat import torchvision

_VALUES = {"train": "train", "validation": "val", "test": "test"}
"""torchvision's names of the splits."""


def load(source: TorchVision, data_root: Path) -> Loaded:
    """Return the splits that the data set has, or all of it to be divided.

    Raises UserError where it is not staged, or holds anything but pictures with a class.
    """
    root = Path(source.root).expanduser() if source.root else data_root / "torchvision"
    datasets = dict(_datasets(source, root))
    read = {n: _read(it, source, f"{source.name}: {n}") for n, it in datasets.items()}
    given, notes = _with_as_many_channels(read)
    shapes = {tuple(tensors["image"].shape[1:]) for tensors in given.values()}
    if len(shapes) > 1:
        raise _mixed("the splits", shapes)
    classes = _classes(datasets["train"], 1 + max(int(it["label"].max()) for it in given.values()))
    refuse_as_classes(classes, source.name)
    refuse_masks(classes, source.name)
    labels = {name: tensors["label"] for name, tensors in given.items()}
    splits = split_facts(labels, classes, Holdout.of(source))
    notes = (*notes, *note_similar_names(classes))
    facts = DataFacts.of("image", "classify", shapes.pop(), classes, notes=notes, **splits)
    return facts, {name: Split(tensors) for name, tensors in given.items()}


def _datasets(source: TorchVision, root: Path) -> Iterator[tuple[str, Any]]:
    """Yield the data set of each split, as far as the class has options for them."""
    kind = library_source.find_class(source, torchvision("datasets"))
    if library_source.has_option(kind, "train"):
        for name in ("train", "test"):
            yield name, library_source.make_dataset(source, kind, root, train=name == "train")
    elif library_source.has_option(kind, "split") and "split" not in source.options:
        for name, value in _VALUES.items():
            try:
                yield name, library_source.make_dataset(source, kind, root, split=value)
            except ValueError:  # it has no such split
                if name == "train":
                    raise
    else:
        yield "train", library_source.make_dataset(source, kind, root)


Read = tuple[list[Tensor], list[int]]
"""Pictures, (C, H, W) bytes each, and their classes."""


def _read(dataset: Any, source: TorchVision, where: str) -> Read:
    images, labels = [], []
    for number in range(len(dataset)):
        picture, label = dataset[number]
        if not isinstance(picture, Image.Image) or not isinstance(label, int | np.integer):
            raise UserError(f"{where} is not of pictures with one class each")
        try:
            pixels = decode(picture, 1 if is_grey(picture) else 3, source.size)
        except UserError as error:
            raise UserError(f"{where}: picture {number}: {error.message}") from None
        images.append(torch.from_numpy(pixels).contiguous())
        labels.append(int(label))
    if not images:
        raise UserError(f"{where} has no picture")
    return images, labels


def _with_as_many_channels(read: Mapping[str, Read]) -> tuple[dict[str, Tensors], tuple[str, ...]]:
    """Return bytes (N, C, H, W) and classes (N,) of each split; all in RGB where one picture is.

    Raises UserError for pictures of several sizes.
    """
    channels = [len(image) for images, _ in read.values() for image in images]
    most, grey = max(channels), channels.count(1)
    given: dict[str, Tensors] = {}
    for name, (images, labels) in read.items():
        alike = [image.expand(most, -1, -1) for image in images]
        if len(shapes := {tuple(image.shape) for image in alike}) > 1:
            raise _mixed(name, shapes)
        given[name] = {"image": torch.stack(alike), "label": torch.tensor(labels)}
    note = f"{grey} of {len(channels)} pictures are grey, and become RGB"
    return given, (note,) if most > 1 and grey else ()


def _classes(dataset: Any, count: int) -> tuple[str, ...]:
    """Return the data set's names of the classes, or their numbers."""
    names = list(getattr(dataset, "classes", ()))
    return tuple(map(str, names if len(names) >= count else range(count)))


def _mixed(where: str, shapes: set[tuple[int, ...]]) -> UserError:
    some = ", ".join(map(str, sorted(shapes)[:4]))
    return UserError(
        f"data.name: pictures of {where} are of mixed sizes: {some}",
        hint="Give the height and width to resize to: data.size: [64, 64].",
    )
