"""Which classes the training examples of a source are of, without loading an image. Light."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

IDX_HEADER = 8
"""Bytes before the first label."""


def digits() -> list[int]:
    """The labels of scikit-learn's digits, which stand at the ends of the rows of its table."""
    with gzip.open(digits_file(), "rt") as file:
        return [int(row.rpartition(",")[2]) for row in file]


def idx(folder: Path) -> bytes:
    """The labels of MNIST or Fashion-MNIST, a byte each, whose four files are in `folder`."""
    return (folder / "train-labels-idx1-ubyte").read_bytes()[IDX_HEADER:]


def digits_file() -> Path:
    """The table in scikit-learn's wheel; to import that would take longer than all the rest."""
    spec = find_spec("sklearn")
    assert spec is not None, "scikit-learn is among hpcdl's requirements"
    assert spec.origin is not None
    return Path(spec.origin).with_name("datasets") / "data" / "digits.csv.gz"
