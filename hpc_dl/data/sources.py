"""From what a spec says of its data to the splits, resident in memory."""

from __future__ import annotations

from pathlib import Path

from hpc_dl.data import digits, folders, idx, image_folder, mnist, own, staged
from hpc_dl.data.split import Splits, divide
from hpc_dl.spec.data import MNIST, Data, Digits, FashionMNIST, ImageFolder, OwnData


def load(source: Data, data_root: Path, seed: int, code: Path) -> Splits:
    """The splits of a source, on the CPU; which example is in which is a function of the seed.

    `data_root` is the folder of staged data, `code` that of the user's own files.
    Raises UserError where data are missing or broken.
    """
    match source:
        case OwnData():
            facts, given = own.load(source, code)
        case ImageFolder():
            found = folders.scan(source)
            facts = folders.facts(source, found)
            given = image_folder.load(source, found, data_root / "cache")
        case MNIST() | FashionMNIST():
            facts = staged.facts(source, data_root)
            given = mnist.load(source.name, idx.root_of(source, data_root))
        case Digits():
            facts, given = staged.facts(source, data_root), {"train": digits.load()}
        case _:
            raise AssertionError(f"{source!r} is none of hpcdl's sources")
    return divide(given, facts, seed)
