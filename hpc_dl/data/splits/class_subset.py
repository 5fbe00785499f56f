"""Splits of which only the classes `data.include_classes` are trained on, for anomaly detection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from hpc_dl.data.dataset import Split, Splits, Tensors, divide
from hpc_dl.data.splits.counts import Holdout
from hpc_dl.jobspec.facts import DataFacts


def divide_class_subset(given: Mapping[str, Split], facts: DataFacts, holdout: Holdout) -> Splits:
    """Divide as `divide` does, but train and validate on `facts.include_classes` alone.

    The training examples of all other classes go into the test, unless the source has one.
    """
    every = given["train"].tensors
    kept = _is_included(every, facts)
    splits = {**given, "train": Split(_select(kept, every))}
    if "test" in given:
        return divide(splits, facts, holdout)
    others = Split(_select(~kept, every)).numbered_from(len(splits["train"]))
    found = divide(splits, facts, holdout)
    return replace(found, test=_concatenate(found.test, others))


def original_positions(given: Mapping[str, Split], facts: DataFacts) -> list[int]:
    """Return the position in its part of the source of each example, in the order of the numbers
    that `divide_class_subset` gives."""
    kept = _is_included(given["train"].tensors, facts)
    found = kept.nonzero()[:, 0].tolist()
    if "test" not in given:
        return found + (~kept).nonzero()[:, 0].tolist()
    others = [len(split) for name, split in given.items() if name != "train"]
    return found + [number for size in others for number in range(size)]


def _is_included(tensors: Tensors, facts: DataFacts) -> Tensor:
    """Return which examples (N,) are of the classes to train on."""
    wanted = [facts.classes.index(name) for name in facts.include_classes]
    return torch.isin(tensors["label"], torch.tensor(wanted))


def _select(mask: Tensor, tensors: Tensors) -> Tensors:
    return {name: tensor[mask] for name, tensor in tensors.items()}


def _concatenate(one: Split, other: Split) -> Split:
    tensors = {
        name: torch.cat([tensor, other.tensors[name]]) for name, tensor in one.tensors.items()
    }
    return Split(tensors, torch.cat([one.index, other.index]))
