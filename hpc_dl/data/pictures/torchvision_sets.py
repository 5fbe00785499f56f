"""torchvision's data sets of pictures with a class each, as tensors in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hpc_dl.data import library_source
from hpc_dl.data.dataset import Split
from hpc_dl.data.faults import reading
from hpc_dl.data.labels import note_similar_names, number_classes
from hpc_dl.data.pictures import torchvision_tasks
from hpc_dl.data.pictures.split_folders import refuse_as_classes, refuse_masks
from hpc_dl.data.pictures.torchvision_reading import mixed, read, with_as_many_channels
from hpc_dl.data.source import Loaded
from hpc_dl.data.splits.counts import Holdout, split_facts
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
    with reading("data.root", root, f"copy of {source.name}"):
        datasets = dict(_datasets(source, root))
    every = {name: read(it, source, f"{source.name}: {name}") for name, it in datasets.items()}
    given, notes = with_as_many_channels(every)
    shapes = {tuple(tensors["image"].shape[1:]) for tensors in given.values()}
    if len(shapes) > 1:
        raise mixed("the splits", shapes)
    classes, more = _number(given, getattr(datasets["train"], "classes", ()), source.name)
    refuse_as_classes(classes, source.name)
    refuse_masks(classes, source.name)
    labels = {name: tensors["label"] for name, tensors in given.items()}
    splits = split_facts(labels, classes, Holdout.of(source))
    notes = (*notes, *more, *note_similar_names(classes))
    facts = DataFacts.of("image", "classify", shapes.pop(), classes, notes=notes, **splits)
    return facts, {name: Split(tensors) for name, tensors in given.items()}


def _datasets(source: TorchVision, root: Path) -> Iterator[tuple[str, Any]]:
    """Yield the data set of each split, as far as the class has options for them."""
    kind = library_source.find_class(source, torchvision("datasets"))
    torchvision_tasks.refuse_others(source.name)
    if library_source.has_option(kind, "train"):
        for name in ("train", "test"):
            yield name, library_source.make_dataset(source, kind, root, train=name == "train")
    elif library_source.has_option(kind, "split") and "split" not in source.options:
        for name, value in _VALUES.items():
            try:
                yield name, library_source.make_dataset(source, kind, root, split=value)
            except ValueError as error:  # it has no such split
                if name == "train":
                    raise UserError(
                        f"{source.name} has no split 'train': {error}",
                        hint="Name one as data.split; validation and test are then drawn from it.",
                    ) from None
    else:
        yield "train", library_source.make_dataset(source, kind, root)


def _number(
    given: Mapping[str, dict[str, Tensor]], names: Sequence[Any], where: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the classes, and notes; the labels count from 0 afterwards.

    They are the data set's own `names`, if it has as many, else its labels.
    """
    labels = {name: tensors["label"].numpy() for name, tensors in given.items()}
    if all(it.min() >= 0 and it.max() < len(names) for it in labels.values()):
        return tuple(map(str, names)), ()
    found = number_classes(labels, {name: f"{where}: {name}" for name in labels})
    for name, numbers in found.labels.items():
        given[name]["label"] = torch.from_numpy(numbers)
    return found.names, found.notes
