"""From what a spec says of its data to the splits: resident in memory, or streamed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hpc_dl.data import digits, folders, idx, image_folder, mnist, own, staged, streamed
from hpc_dl.data.binarize import binarized
from hpc_dl.data.some_classes import divide_some
from hpc_dl.data.split import Split, Splits, Tensors, divide
from hpc_dl.spec.data import Data, DataFacts
from hpc_dl.spec.sources import MNIST, Digits, FashionMNIST, GreyImages, ImageFolder, OwnData


def load(
    source: Data, data_root: Path, seed: int, code: Path, workers: int | None = None
) -> Splits:
    """The splits of a source, on the CPU; which example is in which is a function of the seed.

    `data_root` is the folder of staged data, `code` that of the user's own files; `workers` is
    how many processes read examples while training, None to have all of them in memory.
    Raises UserError where data are missing or broken.
    """
    if isinstance(source, ImageFolder) and workers is not None:
        found = folders.scan(source)
        return divide(streamed.splits(source, found, workers), folders.facts(source, found), seed)
    facts, given = _resident(source, data_root, code)
    if isinstance(source, GreyImages) and source.binarize:
        given = binarized(given)
    if facts.only:
        return divide_some(given, facts, seed)
    return divide({name: Split(tensors) for name, tensors in given.items()}, facts, seed)


def _resident(source: Data, data_root: Path, code: Path) -> tuple[DataFacts, Mapping[str, Tensors]]:
    match source:
        case OwnData():
            return own.load(source, code)
        case ImageFolder():
            found = folders.scan(source)
            given = image_folder.load(source, found, data_root / "cache")
            return folders.facts(source, found), given
        case MNIST() | FashionMNIST():
            given = mnist.load(source.name, idx.root_of(source, data_root))
            return staged.facts(source, data_root), given
        case Digits():
            return staged.facts(source, data_root), {"train": digits.load()}
    raise AssertionError(f"{source!r} is none of hpcdl's sources")
