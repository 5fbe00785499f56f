"""From a source to its splits: resident in memory, or streamed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from hpc_dl.data import precision
from hpc_dl.data.dataset import Splits, divide
from hpc_dl.data.source import Source
from hpc_dl.data.splits import faults
from hpc_dl.data.splits.class_subset import divide_class_subset, original_positions
from hpc_dl.data.splits.counts import Holdout


def load(source: Source[Any], workers: int | None = None, *, check: bool = True) -> Splits:
    """Return the splits of a source, on the CPU; which example is in which, its options decide.

    `workers` processes of each rank read examples while it trains; None has all of them in memory.
    Streamed examples need no `check` where another rank has made it, or to look at a few.
    Raises UserError where data are missing or broken.
    """
    facts, splits = source.load() if workers is None else source.stream(workers, check=check)
    names, holdout = source.names(splits), Holdout.of(source.options)
    if facts.include_classes:
        names = replace(names, labels=original_positions(splits, facts))
    cut = divide_class_subset if facts.include_classes else divide
    divided = cut(splits, facts, holdout)
    if facts.classes and not facts.class_counts and source.fitted is None:
        _refuse_untrained(divided)
    return replace(precision.narrow(divided), names=names, assets=source.assets(facts))


def _refuse_untrained(splits: Splits) -> None:
    """Raise UserError where no example of a class is left to train on, which was not known before
    the examples were read."""
    classes = splits.facts.classes
    counts = [
        torch.bincount(it.tensors["label"], minlength=len(classes)).tolist()
        for it in (splits.train, splits.validation, splits.test)
    ]
    there = [sum(each) for each in zip(*counts, strict=True)]
    faults.refuse_untrained(counts[0], there, classes, splits.facts.include_classes)
