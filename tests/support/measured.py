"""Metrics of batches, as an evaluation on one rank adds them up."""

from collections.abc import Mapping
from typing import Any

import torch

from hpc_dl.train.evaluate import EvaluationMetrics
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Loss, Measured, OfExamples, OfSums


def together(*batches: Mapping[str, Measured]) -> dict[str, float]:
    """The metrics of what was measured of batches."""
    found = EvaluationMetrics(World(0, 1, torch.device("cpu")))
    for measured in batches:
        found.update(measured)
    return found.compute()


def parts_of(it: Measured) -> tuple[Any, ...]:
    """What a metric is made of, or the mean that it is."""
    match it:
        case Loss():
            return (it.total / it.count,)
        case OfSums():
            return tuple(map(torch.as_tensor, it.sums))
        case OfExamples():
            return it.columns
    return it.seen
