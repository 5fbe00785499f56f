"""The loss and the metrics of each task, which belong to the data and not to an architecture."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional as F

from hpc_dl.zoo.contract import Headline, Loss

CLASSIFY_HEADLINE = Headline("accuracy", "max")


def cross_entropy(logits: Tensor, label: Tensor) -> Loss:
    """Summed cross-entropy in nats of `logits` (B, classes) against `label` (B,) int64."""
    return Loss(F.cross_entropy(logits, label, reduction="sum"), len(label))


def classification(logits: Tensor, label: Tensor) -> Mapping[str, Loss]:
    """The loss, and the accuracy as a share in [0, 1]."""
    right = (logits.argmax(dim=1) == label).sum()
    return {"loss": cross_entropy(logits, label), "accuracy": Loss(right, len(label))}
