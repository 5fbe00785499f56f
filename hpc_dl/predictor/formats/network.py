"""A trained network as one module from tensors to predictions, and made-up inputs of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hpc_dl.zoo.contract import SHARED
from hpc_dl.zoo.layers.standardise import Standardise
from hpc_dl.zoo.trained import Trained

LENGTH = 8
"""Of sequences whose longest is not known."""


class Network(nn.Module):
    """Predictions by name, of inputs in the order of `names`."""

    def __init__(self, trained: Trained, nets: Mapping[str, nn.Module] | None = None) -> None:
        super().__init__()
        self.nets = nn.ModuleDict(nets or trained.nets)
        self.architecture, self.names = trained.architecture, [*trained.inputs]

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        nets: Any = self.nets
        return dict(self.architecture.predict(nets, dict(zip(self.names, inputs, strict=True))))


def longest(trained: Trained) -> int:
    """Return the most elements of a sequence that the network takes."""
    known = [it.longest for it in trained.architecture.facts.inputs.values() if it.longest]
    return max(known, default=LENGTH)


def axis_name(name: str, axis: int) -> str:
    """Return what counts along a free axis of an input."""
    if name in SHARED:
        return "edges" if name == "edge" else "nodes"
    return "length" if axis else "batch"


def made_up(trained: Trained, count: int, length: int) -> list[Tensor]:
    """Return random inputs of so many examples, whose sequences have this length at most: within
    the ranges of the inputs, with the vocabulary and the statistics of the training. Graphs are
    pairs of nodes."""
    random = torch.Generator().manual_seed(count)
    return [
        _made_up(trained, name, count, length, random).to(getattr(torch, it["dtype"]))
        for name, it in trained.inputs.items()
    ]


def _made_up(
    trained: Trained, name: str, count: int, length: int, random: torch.Generator
) -> Tensor:
    number = torch.arange(count)
    counted = {
        "graph": number // 2,
        "edge": torch.stack([number, (number ^ 1).clamp(max=count - 1)]),
    }
    if name in counted:
        return counted[name]
    if name.endswith("_length"):
        return length - number % length
    _, *rest = trained.inputs[name]["shape"]
    shape = [count, *(length if it == -1 else it for it in rest)]
    if "int" in trained.inputs[name]["dtype"]:
        return torch.randint(_values(trained, name), shape, generator=random)
    if name == "table":
        return _of_columns(trained, torch.randn(shape, generator=random))
    if name == "music":
        return torch.rand(shape, generator=random).round()
    is_share = trained.architecture.ranges().get(name) == (0, 1)
    return (torch.rand if is_share else torch.randn)(shape, generator=random)


def _values(trained: Trained, name: str) -> int:
    """Return how many values the integers of an input have, from 0."""
    known = trained.architecture.facts.inputs.get(name)
    if known and known.vocabulary:
        return len(known.vocabulary)
    _, high = trained.architecture.ranges().get(name, (0, 0))
    return int(high) + 1


def _of_columns(trained: Trained, standard: Tensor) -> Tensor:
    """Return rows with the means and deviations of the training."""
    for module in Network(trained).modules():
        if isinstance(module, Standardise):
            deviation = module.deviation.nan_to_num(posinf=0)
            return standard * deviation + module.mean
    return standard


def padded(inputs: Sequence[Tensor], shapes: Mapping[str, Sequence[int | str]]) -> list[Tensor]:
    """Return inputs whose sequences are as long as a graph takes them, where that is a number."""
    return [
        _padded_to(tensor, shape) for tensor, shape in zip(inputs, shapes.values(), strict=True)
    ]


def _padded_to(tensor: Tensor, shape: Sequence[int | str]) -> Tensor:
    for axis, size in enumerate(shape):
        if isinstance(size, int) and tensor.shape[axis] < size:
            after = [0, 0] * (tensor.dim() - axis - 1) + [0, size - tensor.shape[axis]]
            tensor = F.pad(tensor, after)
    return tensor
