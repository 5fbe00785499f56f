"""Convolutions over the frames of videos, each of which becomes a vector, for layers that read
sequences (Donahue et al., arXiv:1411.4389). The first one sees the frames beside it as well (early
fusion: Karpathy et al., CVPR 2014)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hpc_dl.jobspec.frame_layers import FrameLayers
from hpc_dl.tasks.padding import is_real

FIRST_KERNEL = 5
"""Side of the first filters, pixels: what moves by two a frame is still in sight."""


class FrameConvolutions(nn.Module):
    """Videos (B, T, C, H, W) to vectors (B, T, size) of their frames.

    Black frames are put before the first and after the last one for the first convolution. The
    vector is the mean and the maximum over all pixels: where something happens does not matter.
    """

    def __init__(self, channels: int, options: FrameLayers) -> None:
        super().__init__()
        self.size, self.span = 2 * options.channels[-1], options.span
        layers: list[nn.Module] = []
        before, kernel = channels * options.span, FIRST_KERNEL
        for width in options.channels:
            layers += [nn.Conv2d(before, width, kernel, stride=2, padding=kernel // 2), nn.ReLU()]
            before, kernel = width, 3
        self.convolutions = nn.Sequential(*layers)

    def forward(self, video: Tensor, length: Tensor | None = None) -> Tensor:
        """Read videos, of which the first `length` (B,) frames are real, or all."""
        count, steps = video.shape[:2]
        if length is not None:
            video = video.where(is_real(length, steps)[..., None, None, None], 0)
        aside = self.span // 2
        padded = F.pad(video, (0, 0, 0, 0, 0, 0, aside, aside))
        seen = torch.cat([padded[:, it : it + steps] for it in range(self.span)], dim=2)
        found = self.convolutions(seen.flatten(0, 1)).flatten(2)
        pooled = torch.cat([found.mean(dim=2), found.amax(dim=2)], dim=1)
        return pooled.view(count, steps, self.size).to(video.dtype)  # recurrent layers take no bf16
