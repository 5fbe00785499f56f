"""MNIST (LeCun et al., 1998) and Fashion-MNIST (Xiao et al., arXiv:1708.07747), by torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from hpc_dl.data import counts
from hpc_dl.data.split import Split, Splits, Tensors, divide
from hpc_dl.data.vision import torchvision
from hpc_dl.spec.data import MNIST, DataFacts, FashionMNIST

CLASSES = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}


def load(source: MNIST | FashionMNIST, facts: DataFacts, root: Path, seed: int) -> Splits:
    """The images in `root` as bytes; validation is taken from the training images."""
    kind: Any = getattr(torchvision("datasets"), CLASSES[source.name])
    train, test = (_tensors(kind(root, train=part)) for part in (True, False))
    examples = len(train["label"])
    first, second = divide(train, counts.two_ways(examples, source.validation), seed)
    return Splits(facts, first, second, Split(test))


def download(name: str, root: Path) -> None:
    """Fetch the files into `root`; torchvision checks what it got, and shows its progress."""
    kind: Any = getattr(torchvision("datasets"), CLASSES[name])
    kind(root, download=True)


def _tensors(dataset: Any) -> Tensors:
    return {"image": dataset.data[:, None], "label": torch.as_tensor(dataset.targets).long()}
