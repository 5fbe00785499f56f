"""The files of CIFAR: pickles of pixels and classes, of which nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from hpc_dl.data import pickles
from hpc_dl.data.dataset import Tensors
from hpc_dl.data.faults import reading

SHAPE = (3, 32, 32)


def read(files: Sequence[Path], key: str, classes: int, count: int) -> Tensors:
    """Return the pictures and labels in files of so many together, the labels under a `key`.

    Raises UserError for a file that is damaged or another.
    """
    images, labels = [], []
    for file in files:
        with reading("data.name", file, "file of CIFAR"):
            part = pickles.load(file)
            if not isinstance(part, dict) or not {"data", key} <= part.keys():
                raise ValueError("it has no pictures with labels")
            image = part["data"].reshape(-1, *SHAPE)
            label = np.array(part[key])
            _refuse_another(image, label, classes, count // len(files))
        images.append(torch.from_numpy(image))
        labels.append(torch.from_numpy(label))
    return {"image": torch.cat(images), "label": torch.cat(labels).long()}


def _refuse_another(image: np.ndarray, label: np.ndarray, classes: int, count: int) -> None:
    """Raise ValueError for what does not fit the set."""
    if len(image) != count or image.dtype != np.uint8:
        raise ValueError(f"it has {len(image)} pictures of {image.dtype} instead of {count} bytes")
    if label.shape != (count,) or label.dtype.kind not in "iu":
        raise ValueError(f"its labels are {label.shape} {label.dtype}, not {count} numbers")
    if label.min() < 0 or label.max() >= classes:
        raise ValueError(f"it has class {label.max()}, and there are {classes}, from 0")
