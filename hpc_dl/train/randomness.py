"""Random numbers as functions of what they are for: nothing is remembered between two steps."""

from __future__ import annotations

import torch

from hpc_dl.data.order import mix

STEP, EVALUATION, DRAWING, INITIALISATION = range(4)
"""What random numbers are drawn for; each purpose has a stream of its own."""


def seed_generators(device: torch.device, *key: int) -> None:
    """Make the random numbers from here on a function of `key`."""
    value = mix(*key)
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index].manual_seed(value)
