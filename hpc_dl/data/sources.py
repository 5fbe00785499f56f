"""From what a spec says of its data to the splits, resident in memory."""

from __future__ import annotations

from pathlib import Path

from hpc_dl.data import digits, image_folder, mnist, own, staged
from hpc_dl.data.split import Splits
from hpc_dl.spec.data import MNIST, Data, Digits, FashionMNIST, ImageFolder, OwnData


def load(source: Data, data_root: Path, seed: int, code: Path) -> Splits:
    """The splits of a source, on the CPU; which example is in which is a function of the seed.

    `data_root` is the folder of staged data, `code` that of the user's own files.
    Raises UserError where data are missing or broken.
    """
    if isinstance(source, OwnData):
        return own.load(source, code, seed)
    facts = staged.facts(source, data_root)
    match source:
        case Digits():
            return digits.load(source, facts, seed)
        case MNIST() | FashionMNIST():
            return mnist.load(source, facts, staged.idx_root(source, data_root), seed)
        case ImageFolder():
            return image_folder.load(source, facts, data_root / "cache", seed)
    raise AssertionError(f"{source!r} is none of hpcdl's sources")
