"""Metrics of batches, as an evaluation on one rank adds them up."""

from collections.abc import Mapping

import torch

from hpc_dl.train.evaluate import EvaluationMetrics
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Measured


def together(*batches: Mapping[str, Measured]) -> dict[str, float]:
    """The metrics of what was measured of batches."""
    found = EvaluationMetrics(World(0, 1, torch.device("cpu")))
    for measured in batches:
        found.update(measured)
    return found.compute()
