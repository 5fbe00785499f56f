"""scikit-learn's handwritten digits (Alpaydin and Kaynak, UCI 1998): 1 797 images, 8x8, 0 to 16."""

from __future__ import annotations

import torch

from hpc_dl.data.split import Tensors


def load() -> Tensors:
    """All digits, from scikit-learn's wheel, as bytes."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = torch.from_numpy(found.images).mul(255 / 16).round().to(torch.uint8)
    return {"image": images[:, None], "label": torch.from_numpy(found.target).long()}
