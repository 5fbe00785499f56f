"""Whitening of images: filters whose outputs are uncorrelated over training pictures."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

IMAGES = 5000
"""Training images that the filters are fitted to, at most."""
LEAST = 5e-4
"""Variance that is added to that of each component, as a share of a pixel's, so that noise stays
small."""


class Whitening(nn.Conv2d):
    """Convolution with the principal components of patches, (patch, patch) pixels, and with their
    opposites, each divided by its standard deviation.

    (B, C, H, W) to (B, 2 C patch², H - patch + 1, W - patch + 1). The filters are not trained, the
    biases are (Page, "How to train your ResNet 8", 2019; Jordan, arXiv:2404.00498, section 3.2).
    """

    def __init__(self, channels: int, patch: int) -> None:
        super().__init__(channels, 2 * channels * patch * patch, patch)
        self.weight.requires_grad_(False)

    @torch.no_grad()
    def fit(self, parts: Iterable[Tensor]) -> None:
        """Fit the filters to images (N, C, H, W), in [0, 1] or bytes, which come in parts, and the
        biases so that outputs have a mean of 0."""
        count, left = 0, IMAGES
        total: Tensor | float = 0.0
        products: Tensor | float = 0.0
        for part in parts:
            patches = self._patches(part[:left])
            count, left = count + len(patches), left - len(part)
            total, products = total + patches.sum(dim=0), products + patches.T @ patches
            if left <= 0:
                break
        assert isinstance(total, Tensor)
        assert isinstance(products, Tensor)
        mean = (total / count).cpu()
        variances, components = torch.linalg.eigh((products / count).cpu() - mean.outer(mean))
        least = (LEAST * variances.mean()).clamp(min=torch.finfo(torch.float32).tiny)
        filters = components.T / (variances.clamp(min=0) + least).sqrt()[:, None]
        both = torch.cat([filters, -filters])
        self.weight.copy_(both.view_as(self.weight))
        assert self.bias is not None
        self.bias.copy_(-both @ mean)

    def _patches(self, image: Tensor) -> Tensor:
        """Return all patches of images, (patches, C patch²) float64."""
        scaled = image.double() / 255 if image.dtype == torch.uint8 else image.double()
        patches = nn.functional.unfold(scaled, self.kernel_size)
        return patches.transpose(1, 2).reshape(-1, patches.shape[1])
