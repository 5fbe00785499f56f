"""MNIST (LeCun et al., 1998) and Fashion-MNIST (Xiao et al., arXiv:1708.07747), by torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from hpc_dl.data.dataset import Tensors
from hpc_dl.data.idx import KINDS
from hpc_dl.torchvision_compat import torchvision


def load(name: str, root: Path) -> dict[str, Tensors]:
    """The images in `root` as bytes: train and test."""
    kind: Any = getattr(torchvision("datasets"), KINDS[name])
    return {"train": _tensors(kind(root, train=True)), "test": _tensors(kind(root, train=False))}


def _tensors(dataset: Any) -> Tensors:
    return {"image": dataset.data[:, None], "label": torch.as_tensor(dataset.targets).long()}
