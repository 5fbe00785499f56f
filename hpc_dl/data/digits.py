"""scikit-learn's handwritten digits (Alpaydin and Kaynak, UCI 1998): 1 797 images, 8x8, 0 to 16."""

from __future__ import annotations

import torch

from hpc_dl.data import counts
from hpc_dl.data.split import Splits, divide
from hpc_dl.spec.data import DataFacts, Digits

EXAMPLES = 1797


def load(source: Digits, facts: DataFacts, seed: int) -> Splits:
    """The digits from scikit-learn's wheel, as bytes."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = torch.from_numpy(found.images).mul(255 / 16).round().to(torch.uint8)
    tensors = {"image": images[:, None], "label": torch.from_numpy(found.target).long()}
    parts = counts.three_ways(EXAMPLES, source.validation, source.test)
    return Splits(facts, *divide(tensors, parts, seed))
