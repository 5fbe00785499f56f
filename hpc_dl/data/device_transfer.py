"""From main memory to a device, without waiting for it."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor in main memory, on a device.

    A GPU copies by itself what is pinned; for anything else the host waits.
    """
    held = tensor.pin_memory() if device.type == "cuda" else tensor
    return held.to(device, non_blocking=True)
