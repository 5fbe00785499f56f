"""scikit-learn's handwritten digits (Alpaydin and Kaynak, UCI 1998): 1 797 images, 8x8, 0 to 16.

Their table is read without importing scikit-learn, which would take longer than all the rest.
"""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.data.pictures.image_sets import ImageSetSource
from hpc_dl.data.source import Staging
from hpc_dl.jobspec.sources.digits import Digits

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Tensors

SIDE, BRIGHTEST, EXAMPLES = 8, 16, 1797


class DigitsSource(ImageSetSource[Digits]):
    """The digits, which have no split of their own."""

    shape = (1, SIDE, SIDE)
    classes = tuple("0123456789")
    examples = {"train": EXAMPLES}

    def read(self) -> dict[str, Tensors]:
        return {"train": read_digits()}

    def labels(self) -> dict[str, list[int]]:
        with gzip.open(_table(), "rt") as file:
            return {"train": [int(row.rpartition(",")[2]) for row in file]}

    def files(self) -> dict[str, Path]:
        return {"digits": _table()}

    def staging(self) -> Staging:
        return Staging("in scikit-learn", staged=True, examples=EXAMPLES)


def read_digits() -> Tensors:
    """Read all digits, as bytes."""
    import numpy as np
    import torch

    with gzip.open(_table(), "rt") as file:
        rows = torch.from_numpy(np.loadtxt(file, delimiter=",", dtype=np.int64))
    pixels, label = rows[:, :-1], rows[:, -1]
    images = pixels.mul(255 / BRIGHTEST).round().to(torch.uint8)
    return {"image": images.view(-1, 1, SIDE, SIDE), "label": label.contiguous()}


def _table() -> Path:
    """Return the file in scikit-learn's wheel: a row an image, its pixels and then its class."""
    spec = find_spec("sklearn")
    assert spec is not None, "scikit-learn is among hpcdl's requirements"
    assert spec.origin is not None
    return Path(spec.origin).with_name("datasets") / "data" / "digits.csv.gz"
