"""Noise on images, to be removed again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def gaussian(image: Tensor, level: float) -> Tensor:
    """x + level ε, ε ~ N(0, 1), as of a sensor: not cut off at 0 and 1, so that the mean squared
    error is level² whatever the image."""
    return image + level * torch.randn_like(image)


def salt_and_pepper(image: Tensor, level: float) -> Tensor:
    """A share `level` of the numbers, each drawn by itself, is 0 or 1, with the same chance."""
    drawn = torch.rand_like(image)
    return torch.where(drawn < level, (drawn < level / 2).to(image.dtype), image)


def mask(image: Tensor, level: float) -> Tensor:
    """A share `level` of the numbers, each drawn by itself, is 0 (Vincent et al., ICML 2008)."""
    return torch.where(torch.rand_like(image) < level, 0.0, image)


NOISES: Mapping[str, Callable[[Tensor, float], Tensor]] = {
    "gaussian": gaussian,
    "salt_and_pepper": salt_and_pepper,
    "mask": mask,
}
"""Images (B, C, H, W) in [0, 1] and a level, to the same with noise."""
