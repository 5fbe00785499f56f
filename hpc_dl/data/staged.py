"""What is known of a source without loading it, and whether its data are where a job finds them.

Light: the login node asks this before it submits.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from hpc_dl.data import counts, folders
from hpc_dl.errors import UserError
from hpc_dl.spec.data import (
    MNIST,
    Data,
    DataFacts,
    Digits,
    FashionMNIST,
    ImageFolder,
    OwnData,
)

DIGIT_NAMES = tuple("0123456789")
CLOTHES = (
    "T-shirt",
    "trousers",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
IDX_FILES = {
    "train-images-idx3-ubyte": 16 + 60_000 * 28 * 28,
    "train-labels-idx1-ubyte": 8 + 60_000,
    "t10k-images-idx3-ubyte": 16 + 10_000 * 28 * 28,
    "t10k-labels-idx1-ubyte": 8 + 10_000,
}
"""Names and sizes in bytes of MNIST's four files, and of Fashion-MNIST's."""
IDX_FOLDER = {"mnist": "MNIST/raw", "fashion_mnist": "FashionMNIST/raw"}
DESCRIBE_SECONDS = 300


def facts(source: Data, data_root: Path, code: Path = Path()) -> DataFacts:
    """Everything that a plan needs to know of a source.

    A user's own source is asked in another process, which may import torch; its file is looked
    for in `code`. Raises UserError where the data are not there, or not all of them.
    """
    match source:
        case Digits():
            parts = counts.three_ways(1797, source.validation, source.test)
            return DataFacts("image", "classify", (1, 8, 8), DIGIT_NAMES, *parts)
        case MNIST() | FashionMNIST():
            check_idx_files(source.name, idx_root(source, data_root))
            names = DIGIT_NAMES if source.name == "mnist" else CLOTHES
            parts = (*counts.two_ways(60_000, source.validation), 10_000)
            return DataFacts("image", "classify", (1, 28, 28), names, *parts)
        case ImageFolder():
            return folders.facts(source)
        case OwnData():
            return _ask(source, code)
    raise AssertionError(f"{source!r} is none of hpcdl's sources")


def idx_root(source: MNIST | FashionMNIST, data_root: Path) -> Path:
    """The folder that torchvision is to look in."""
    return Path(source.root).expanduser() if source.root else data_root / source.name


def check_idx_files(name: str, root: Path) -> None:
    """Raise UserError unless all four files are there, and whole."""
    folder = root / IDX_FOLDER[name]
    for file, size in IDX_FILES.items():
        path = folder / file
        there = path.stat().st_size if path.is_file() else None
        if there == size:
            continue
        fault = "is missing" if there is None else f"has {there} bytes instead of {size}"
        raise UserError(
            f"{name} is not staged: {path} {fault}",
            hint=f"On a machine with internet: hpcdl data fetch {name}\n"
            f"Without internet, put {', '.join(IDX_FILES)} into {folder}.",
        )


@dataclass(frozen=True)
class Listing:
    """One line of `hpcdl data list`."""

    name: str
    kind: str
    task: str
    examples: int | None
    staged: bool | None
    """None where it is for the spec to say where the data are."""
    where: str
    about: str


def listing(data_root: Path) -> list[Listing]:
    """All sources, and which of them are staged under `data_root`."""
    rows = [
        Listing("digits", "image", "classify", 1797, True, "in scikit-learn", _about(Digits)),
    ]
    for kind, name in ((MNIST, "mnist"), (FashionMNIST, "fashion_mnist")):
        root = data_root / name
        try:
            check_idx_files(name, root)
            staged = True
        except UserError:
            staged = False
        rows.append(Listing(name, "image", "classify", 70_000, staged, str(root), _about(kind)))
    where = "data.root of the spec"
    rows.append(
        Listing("image_folder", "image", "classify", None, None, where, _about(ImageFolder))
    )
    return rows


def _about(kind: type[Data]) -> str:
    return (kind.__doc__ or "").splitlines()[0]


def _ask(source: OwnData, code: Path) -> DataFacts:
    """Have a user's own source describe itself."""
    asked = subprocess.run(
        [sys.executable, "-m", "hpc_dl.data.describe", str(code)],
        input=source.model_dump_json(),
        capture_output=True,
        text=True,
        check=False,
        timeout=DESCRIBE_SECONDS,
    )
    if asked.returncode:
        last = (asked.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise UserError(f"data.name: {source.name} failed: {last}", hint=asked.stderr.strip())
    return TypeAdapter(DataFacts).validate_json(asked.stdout.splitlines()[-1])
