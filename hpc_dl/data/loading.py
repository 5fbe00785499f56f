"""From what a spec says of its data to the splits: resident in memory, or streamed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from hpc_dl.data import (
    arrays,
    cora,
    digits,
    folders,
    geometric,
    geometric_sets,
    idx,
    image_folder,
    mnist,
    names,
    precision,
    source_facts,
    streamed,
    tables,
    torchvision_sets,
    user_source,
    validation,
)
from hpc_dl.data.binarize import binarized
from hpc_dl.data.class_subset import divide_some, numbers
from hpc_dl.data.counts import Holdout
from hpc_dl.data.dataset import Split, Splits, Tensors, divide
from hpc_dl.data.tensor_digests import digests, of_words
from hpc_dl.jobspec.data import Data, DataFacts
from hpc_dl.jobspec.sources import (
    MNIST,
    Arrays,
    Cora,
    Digits,
    FashionMNIST,
    GreyImages,
    ImageFolder,
    Karate,
    OwnData,
    Table,
    TorchGeometric,
    TorchVision,
)


def load(source: Data, data_root: Path, code: Path, workers: int | None = None) -> Splits:
    """The splits of a source, on the CPU; which example is in which, the source alone decides.

    `data_root` is the folder of staged data, `code` that of the user's own files; `workers` is
    how many processes read examples while training, None to have all of them in memory.
    Raises UserError where data are missing or broken.
    """
    facts: DataFacts
    splits: Mapping[str, Split]
    found = folders.scan(source) if isinstance(source, ImageFolder) else None
    if isinstance(source, ImageFolder) and found and workers is not None:
        image_folder.check(found, data_root / "cache")
        facts, splits = folders.facts(source, found), streamed.splits(source, found, workers)
        splits["train"].tensors.update(_groups(source, found))
    else:
        facts, splits = given(source, data_root, code, found)
    files = [path for part in found.pictures.values() for path, _ in part] if found else []
    named = names.of(source, splits, files)
    if facts.include_classes:
        named = replace(named, labels=numbers(splits, facts))
    holdout = Holdout.of(source)
    cut = divide_some if facts.include_classes else divide
    divided = cut(splits, facts, holdout)
    validation.every_class_is_trained_on(divided.train, facts)
    return replace(precision.narrow(divided), names=named)


def given(
    source: Data, data_root: Path, code: Path, found: folders.Found | None = None
) -> tuple[DataFacts, Mapping[str, Split]]:
    """What is known of a source, and the splits that it has, in memory.

    `found` is what a folder of pictures holds, where that is known already.
    """
    match source:
        case OwnData():
            return _with_contents(*user_source.load(source, code))
        case Karate():
            return geometric.karate()
        case Cora():
            return geometric.planetoid(cora.folder(source, data_root))
        case TorchGeometric():
            return _with_contents(*geometric_sets.load(source, data_root))
        case TorchVision():
            return _with_contents(*torchvision_sets.load(source, data_root))
    facts, tensors = _tensors(source, data_root, found)
    return facts, {name: Split(it) for name, it in tensors.items()}


def _with_contents(
    facts: DataFacts, splits: Mapping[str, Split]
) -> tuple[DataFacts, Mapping[str, Split]]:
    what = "targets" if facts.targets else "classes"
    called = (f"the names of {what}", of_words(facts.targets or facts.classes))
    return replace(facts, contents=(*digests(splits), called)), splits


def _tensors(
    source: Data, data_root: Path, found: folders.Found | None
) -> tuple[DataFacts, Mapping[str, Tensors]]:
    match source:
        case ImageFolder():
            found = found or folders.scan(source)
            pictures = image_folder.load(source, found, data_root / "cache")
            train = {**pictures["train"], **_groups(source, found)}
            return folders.facts(source, found), {**pictures, "train": train}
        case MNIST() | FashionMNIST():
            grey = mnist.load(source.name, idx.root_of(source, data_root))
            return source_facts.facts(source, data_root), _as_asked(source, grey)
        case Digits():
            grey = {"train": digits.load()}
            return source_facts.facts(source, data_root), _as_asked(source, grey)
        case Table():
            facts, rows = tables.read(source)
            return facts, {
                name: {key: torch.from_numpy(array) for key, array in split.items()}
                for name, split in rows.items()
            }
        case Arrays():
            return arrays.facts(source), _examples(source)
    raise AssertionError(f"{source!r} is none of hpcdl's sources")


def _groups(source: ImageFolder, found: folders.Found) -> Tensors:
    """Which training pictures are to stay together, where the spec says so."""
    groups = folders.groups(source, found)
    return {} if groups is None else {"group": torch.from_numpy(groups)}


def _as_asked(source: GreyImages, grey: Mapping[str, Tensors]) -> Mapping[str, Tensors]:
    return binarized(grey) if source.binarize else grey


def _examples(source: Arrays) -> Mapping[str, Tensors]:
    """All arrays of a file, looked through."""
    facts, splits = arrays.facts(source), dict[str, dict[str, Tensor]]()
    with arrays.opened(source) as file:
        labels = arrays.as_labels(source, file)
        for name, (inputs, named) in arrays.names(source).items():
            array = arrays.as_examples(source, file[inputs][()])
            where = f"data.path: {source.path}: {inputs}"
            examples = validation.examples(validation.tensor(array, where), facts.kind, where)
            if name == "train":
                validation.varied(examples, where)
                if facts.kind == "image":
                    validation.bright(examples, where)
            where, count = f"data.path: {source.path}: {named}", len(examples)
            known = validation.tensor(labels[name], where)
            splits[name] = {facts.kind: examples} | (
                {"target": validation.targets(known, count, where)}
                if facts.task == "regress"
                else {"label": validation.labels(known, count, where)}
            )
        if source.groups:
            groups = arrays.groups_of(source, file, len(splits["train"][facts.kind]))
            splits["train"]["group"] = torch.from_numpy(groups)
    return splits
