"""The sample of examples that is drawn: the same one each time."""

from __future__ import annotations

import torch
from torch import Tensor

from hpc_dl.data.sampler import mix_seed


def sample(count: int, most: int, seed: int) -> Tensor:
    """Return positions of up to `most` of so many examples, drawn by `seed`: (n,) int64."""
    generator = torch.Generator().manual_seed(mix_seed(seed))
    return torch.randperm(count, generator=generator)[:most]
