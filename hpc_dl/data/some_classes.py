"""Splits of a source of which some classes alone are trained on: to tell what is not like them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from hpc_dl.data.counts import Holdout
from hpc_dl.data.split import Split, Splits, Tensors, divide
from hpc_dl.spec.data import DataFacts


def divide_some(given: Mapping[str, Split], facts: DataFacts, holdout: Holdout) -> Splits:
    """As `divide`, but training and validation are of the classes `facts.only` alone.

    The training examples of all others go into the test, where none is given.
    """
    numbers = [facts.classes.index(name) for name in facts.only]
    every = given["train"].tensors
    kept = torch.isin(every["label"], torch.tensor(numbers))
    splits = {**given, "train": Split(_where(kept, every))}
    if "test" in given:
        return divide(splits, facts, holdout)
    others = Split(_where(~kept, every)).numbered_from(len(splits["train"]))
    found = divide(splits, facts, holdout)
    return replace(found, test=_joined(found.test, others))


def _where(mask: Tensor, tensors: Tensors) -> Tensors:
    return {name: tensor[mask] for name, tensor in tensors.items()}


def _joined(one: Split, other: Split) -> Split:
    tensors = {
        name: torch.cat([tensor, other.tensors[name]]) for name, tensor in one.tensors.items()
    }
    return Split(tensors, torch.cat([one.index, other.index]))
