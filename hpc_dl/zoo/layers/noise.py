"""Noise on images, for denoising autoencoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def gaussian(image: Tensor, level: float) -> Tensor:
    """Add noise of standard deviation `level`: x + level ε, ε ~ N(0, 1).

    It is not clipped to [0, 1], so that the mean squared error is level² whatever the image.
    """
    return image + level * torch.randn_like(image)


def salt_and_pepper(image: Tensor, level: float) -> Tensor:
    """Set each number to 0 or 1, with probability `level` / 2 each."""
    uniform = torch.rand_like(image)
    return torch.where(uniform < level, (uniform < level / 2).to(image.dtype), image)


def mask(image: Tensor, level: float) -> Tensor:
    """Set each number to 0 with probability `level` (Vincent et al., ICML 2008)."""
    return torch.where(torch.rand_like(image) < level, 0.0, image)


NOISES: Mapping[str, Callable[[Tensor, float], Tensor]] = {
    "gaussian": gaussian,
    "salt_and_pepper": salt_and_pepper,
    "mask": mask,
}
"""By name: images (B, C, H, W) in [0, 1] and a level, to noisy images."""
