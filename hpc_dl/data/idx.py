"""The four files of MNIST, and of Fashion-MNIST: where they lie, and whether they are whole.

Light; the layout is that of torchvision.
"""

from __future__ import annotations

from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources import MNIST, FashionMNIST

FILES = {
    "train-images-idx3-ubyte": 16 + 60_000 * 28 * 28,
    "train-labels-idx1-ubyte": 8 + 60_000,
    "t10k-images-idx3-ubyte": 16 + 10_000 * 28 * 28,
    "t10k-labels-idx1-ubyte": 8 + 10_000,
}
"""Names and sizes in bytes, the same for both."""
EXAMPLES = {"train": 60_000, "test": 10_000}
KINDS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}
"""Our names, and those of torchvision's classes."""
CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
}


def root_of(source: MNIST | FashionMNIST, data_root: Path) -> Path:
    """The folder that torchvision is to look in."""
    return Path(source.root).expanduser() if source.root else data_root / source.name


def folder(name: str, root: Path) -> Path:
    """The folder of the four files, under `root`."""
    return root / KINDS[name] / "raw"


def fault(name: str, root: Path) -> str | None:
    """What is wrong with the four files under `root`; None where they are there, and whole."""
    for file, size in FILES.items():
        path = folder(name, root) / file
        there = path.stat().st_size if path.is_file() else None
        if there is None:
            return f"no {file} in {path.parent}"
        if there != size:
            return f"{path} has {there} bytes instead of {size}"
    return None


def check(source: MNIST | FashionMNIST, data_root: Path) -> None:
    """Raise UserError, with what to do about it, unless the source is staged."""
    root = root_of(source, data_root)
    if wrong := fault(source.name, root):
        where = f" --root {root}" if source.root else ""
        raise UserError(
            f"{source.name} is not staged: {wrong}",
            hint=f"Fetch it on a machine with internet: hpcdl data fetch {source.name}{where}\n"
            f"Without internet, put {', '.join(FILES)} into {folder(source.name, root)}; "
            "as .gz they will do too, if you then run the same command.",
        )
