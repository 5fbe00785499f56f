"""Static binarisation (Salakhutdinov and Murray, ICML 2008): each pixel is 1 with its grey value as
probability, drawn once. Log-likelihoods of binary images are compared on it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hpc_dl.data.dataset import Tensors

SEED = 0


def binarize(given: Mapping[str, Tensors]) -> dict[str, Tensors]:
    """Return the splits with images (N, C, H, W) of 0 and 255, drawn from bytes.

    The draw is a function of the position of the example: the same on every rank and in every run.
    """
    generator = torch.Generator().manual_seed(SEED)
    return {
        name: {**tensors, "image": _draw(tensors["image"], generator)}
        for name, tensors in given.items()
    }


def _draw(image: Tensor, generator: torch.Generator) -> Tensor:
    threshold = torch.empty_like(image).random_(0, 255, generator=generator)  # 255 is never drawn
    return (image > threshold).to(torch.uint8) * 255
