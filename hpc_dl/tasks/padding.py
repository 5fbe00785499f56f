"""Padding: which elements of a padded batch are real."""

from __future__ import annotations

import torch
from torch import Tensor


def is_real(length: Tensor, width: int) -> Tensor:
    """Return a mask, (B, width) bool: True for the first `length` (B,) elements of each row."""
    return torch.arange(width, device=length.device) < length[:, None]
