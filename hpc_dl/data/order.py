"""The order of the samples, and every random number, as functions: nothing is remembered."""

from __future__ import annotations

import torch
from torch import Tensor

AUGMENTATION = 4
"""What random numbers are drawn for, beside the purposes of `train.engine`."""
_MASK = 2**64 - 1


def mix(*key: int) -> int:
    """A 64-bit seed from integers; keys that differ anywhere give seeds that look unrelated.

    Each integer goes through SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014).
    """
    state = 0
    for part in key:
        state = (state + (part & _MASK) + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def epoch_order(examples: int, seed: int, epoch: int) -> Tensor:
    """The permutation (examples,) int64 in which an epoch goes through the training split."""
    generator = torch.Generator().manual_seed(mix(seed, epoch))
    return torch.randperm(examples, generator=generator)


def lane_order(examples: int, lanes: int) -> Tensor:
    """The order (examples,) int64 in which so many lanes go through the split side by side: each
    example of a batch follows the one in the same row of the batch before."""
    long, rest = divmod(examples, lanes)
    starts = torch.arange(lanes) * long + torch.arange(lanes).clamp(max=rest)
    whole = starts + torch.arange(long)[:, None]
    return torch.cat([whole.flatten(), starts[:rest] + long])


def rank_slice(count: int, rank: int, world_size: int) -> slice:
    """A rank's part of `count` things in a row; parts differ by one at most, and may be empty.

    Rank 0 never has less than another: what is kept of all ranks' buffers is its own.
    """
    start, end = (-(-count * it // world_size) for it in (rank, rank + 1))
    return slice(start, end)
