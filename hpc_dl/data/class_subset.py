"""Splits of a source of which some classes alone are trained on: to tell what is not like them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from hpc_dl.data.counts import Holdout
from hpc_dl.data.dataset import Split, Splits, Tensors, divide
from hpc_dl.jobspec.data import DataFacts


def divide_some(given: Mapping[str, Split], facts: DataFacts, holdout: Holdout) -> Splits:
    """As `divide`, but training and validation are of the classes `facts.include_classes` alone.

    The training examples of all others go into the test, where none is given.
    """
    every = given["train"].tensors
    kept = _usual(every, facts)
    splits = {**given, "train": Split(_where(kept, every))}
    if "test" in given:
        return divide(splits, facts, holdout)
    others = Split(_where(~kept, every)).numbered_from(len(splits["train"]))
    found = divide(splits, facts, holdout)
    return replace(found, test=_joined(found.test, others))


def numbers(given: Mapping[str, Split], facts: DataFacts) -> list[int]:
    """Where in its part of the source each example was, by the number that `divide_some` gives."""
    kept = _usual(given["train"].tensors, facts)
    found = kept.nonzero()[:, 0].tolist()
    if "test" not in given:
        return found + (~kept).nonzero()[:, 0].tolist()
    others = [len(split) for name, split in given.items() if name != "train"]
    return found + [number for size in others for number in range(size)]


def _usual(tensors: Tensors, facts: DataFacts) -> Tensor:
    """Whether examples (N,) are of the classes that are trained on."""
    wanted = [facts.classes.index(name) for name in facts.include_classes]
    return torch.isin(tensors["label"], torch.tensor(wanted))


def _where(mask: Tensor, tensors: Tensors) -> Tensors:
    return {name: tensor[mask] for name, tensor in tensors.items()}


def _joined(one: Split, other: Split) -> Split:
    tensors = {
        name: torch.cat([tensor, other.tensors[name]]) for name, tensor in one.tensors.items()
    }
    return Split(tensors, torch.cat([one.index, other.index]))
