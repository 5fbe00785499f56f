"""The loss, the metrics and the pictures of each task: one file each."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from hpc_dl.jobspec.data import DataFacts
from hpc_dl.tasks.classification import Classification
from hpc_dl.tasks.contract import Task
from hpc_dl.tasks.regression import Regression


def of(
    facts: DataFacts,
    label_smoothing: float = 0.0,
    class_weights: Sequence[float] | None = None,
    targets: Tensor | None = None,
) -> Task | None:
    """The objective of the data's task; None where there is none.

    `targets` (N, targets) are the training split's, where numbers are to be foretold.
    """
    if facts.task in ("classify", "classify_nodes"):
        return Classification(facts, label_smoothing, class_weights)
    if facts.task == "regress":
        return Regression(facts, targets)
    return None
