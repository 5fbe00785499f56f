"""Convolutions over the steps of sequences of differing lengths."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hpc_dl.tasks.padding import is_real
from hpc_dl.zoo.layers.dense import ACTIVATIONS, shortcut
from hpc_dl.zoo.layers.fronts import Front


class SequenceConvolutions(nn.Module):
    """Inputs of any modality, as sequences, to outputs (B, outputs), or (B, T, outputs) `of_steps`.

    After each convolution pairs of steps are pooled, and at the end the maximum of each channel
    over all steps is taken (Kim, arXiv:1408.5882); `of_steps` none of it, so that each step has
    outputs. Padding is 0 before each convolution, as beyond the end, and counts in no maximum.
    """

    def __init__(
        self,
        front: Front,
        channels: Sequence[int],
        kernel: int,
        activation: str,
        head: nn.Module,
        *,
        of_steps: bool,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.front, self.head, self.of_steps = front, head, of_steps
        sizes = [front.size, *channels]
        self.layers = nn.ModuleList(
            nn.Conv1d(fan_in, fan_out, kernel, padding="same")
            for fan_in, fan_out in itertools.pairwise(sizes)
        )
        self.shortcuts = nn.ModuleList(
            shortcut(fan_in, fan_out, axes=1)
            for fan_in, fan_out in itertools.pairwise(sizes if residual else [])
        )
        self.activation = ACTIVATIONS[activation]()
        self.pool = nn.MaxPool1d(2, ceil_mode=True)

    def forward(self, example: Tensor, length: Tensor | None = None) -> Tensor:
        """Read examples, of which the first `length` (B,) steps are real, or all."""
        vectors, length = self.front(example, length)
        found = vectors.transpose(1, 2)
        for number, layer in enumerate(self.layers):
            given = _fill(found, length, 0.0)
            found = self.activation(layer(given))
            if self.shortcuts:
                found = found + self.shortcuts[number](given)
            if not self.of_steps:
                found = self.pool(_fill(found, length, -torch.inf))
                length = None if length is None else (length + 1) // 2
        if self.of_steps:
            return self.head(found.transpose(1, 2))
        return self.head(_fill(found, length, -torch.inf).amax(dim=2))


def _fill(channels: Tensor, length: Tensor | None, value: float) -> Tensor:
    """Return channels (B, C, T) with a value in the place of padding."""
    if length is None:
        return channels
    return channels.where(is_real(length, channels.shape[2])[:, None], value)
