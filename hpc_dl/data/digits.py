"""scikit-learn's handwritten digits (Alpaydin and Kaynak, UCI 1998): 1 797 images, 8x8, 0 to 16."""

from __future__ import annotations

import gzip

import numpy as np
import torch

from hpc_dl.data.dataset import Tensors
from hpc_dl.data.labels import digits_file

SIDE, BRIGHTEST = 8, 16


def load() -> Tensors:
    """All digits, from scikit-learn's wheel, as bytes.

    Its file is read without importing it, which would take longer than all the rest.
    """
    with gzip.open(digits_file(), "rt") as file:
        rows = torch.from_numpy(np.loadtxt(file, delimiter=",", dtype=np.int64))
    pixels, label = rows[:, :-1], rows[:, -1]
    images = pixels.mul(255 / BRIGHTEST).round().to(torch.uint8)
    return {"image": images.view(-1, 1, SIDE, SIDE), "label": label.contiguous()}
