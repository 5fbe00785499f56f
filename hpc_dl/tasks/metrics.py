"""Metrics of generated images and of many classes, exact over ranks.

To be imported inside functions: torchmetrics takes its time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hpc_dl.torchvision_compat import torchvision

torchvision()  # which torchmetrics imports
from torchmetrics import Metric  # noqa: E402
from torchmetrics.classification import MulticlassF1Score  # noqa: E402
from torchmetrics.image.fid import FrechetInceptionDistance  # noqa: E402


class FrechetDistance(FrechetInceptionDistance):
    """Fréchet distance between two sets of features, (N, features) each, taken as Gaussian
    (Heusel et al., arXiv:1706.08500): |μ - μ'|² + tr(Σ + Σ' - 2 √(Σ Σ'))."""

    def __init__(self, features: int) -> None:
        super().__init__(feature=_Precomputed(features))
        self.orig_dtype = torch.float64  # of the result, also on a rank without examples

    def update(self, generated: Tensor, real: Tensor) -> None:
        super().update(generated.double(), real=False)
        super().update(real.double(), real=True)


class _Precomputed(nn.Identity):
    """Stands for the network that makes features, which are there already."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.num_features = features


class RarestClass(Metric):
    """The fraction, in [0, 1], of the images that are of the rarest predicted class."""

    counts: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros(classes), dist_reduce_fx="sum")

    def update(self, label: Tensor) -> None:
        self.counts += torch.bincount(label, minlength=len(self.counts))

    def compute(self) -> Tensor:
        return self.counts.min() / self.counts.sum()


class ClassF1(MulticlassF1Score):
    """The F1 score, counted class by class.

    Where torch is to be deterministic, torchmetrics makes a table (examples, classes²) to count in:
    gigabytes, for a thousand classes. `bincount` of whole numbers is deterministic as it is.
    """

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count logits (N, classes) and classes (N,)."""
        predicted, none = preds.argmax(dim=1), self.num_classes
        hits = torch.where(predicted == target, target, none)
        right, true, held = (
            torch.bincount(it, minlength=none + 1)[:none] for it in (hits, target, predicted)
        )
        self._update_state(right, held - right, len(target) - true - held + right, true - right)
