"""torchvision's data sets of pictures with a class each, as tensors in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hpc_dl.data import library_source
from hpc_dl.data.class_folders.splits import refuse_as_classes, refuse_masks
from hpc_dl.data.dataset import Split
from hpc_dl.data.faults import Faults, reading
from hpc_dl.data.labels import note_similar_names, number_classes
from hpc_dl.data.pictures.torchvision_reading import mixed, read, with_as_many_channels
from hpc_dl.data.source import Loaded
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.sources.torchvision import TorchVision
from hpc_dl.torchvision_compat import torchvision

_VALUES = {"train": "train", "validation": "val", "test": "test"}
"""torchvision's names of the splits."""
_NO_SPLIT = "for argument split"
"""In torchvision's error for a split that a data set does not have."""


def load(source: TorchVision, data_root: Path) -> Loaded:
    """Return the splits that the data set has, or all of it to be divided.

    Raises UserError where it is not staged, or holds anything but pictures with a class.
    """
    root = Path(source.root).expanduser() if source.root else data_root / "torchvision"
    with reading("data.root", root, f"copy of {source.name}"):
        datasets = _datasets(source, root)
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


def _datasets(source: TorchVision, root: Path) -> dict[str, Any]:
    """Return the data set of each split, as far as the class has options for them."""
    kind = library_source.find_class(source, torchvision("datasets"))
    library_source.refuse_others(source, "class for each picture")
    found, faults = {}, Faults(f"data.name: {source.name}")
    for name, option in _split_options(source, kind).items():
        with faults.collect():
            try:
                found[name] = library_source.make_dataset(source, kind, root, **option)
            except ValueError as error:
                if _NO_SPLIT not in str(error):
                    raise
                if name == "train":
                    raise UserError(
                        f"{source.name} has no split 'train': {error}",
                        hint="Name one as data.split; validation and test are then drawn from it.",
                    ) from None
    faults.refuse()
    return found


def _split_options(source: TorchVision, kind: Any) -> dict[str, dict[str, Any]]:
    """Return the option that chooses each split; none where the class has no splits."""
    if library_source.has_option(kind, "train") and "train" not in source.options:
        return {"train": {"train": True}, "test": {"train": False}}
    if library_source.has_option(kind, "split") and "split" not in source.options:
        return {name: {"split": value} for name, value in _VALUES.items()}
    return {"train": {}}


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
