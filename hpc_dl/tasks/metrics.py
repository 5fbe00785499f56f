"""Metrics of generated images and of many classes, exact over ranks.

To be imported inside functions: torchmetrics takes its time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from hpc_dl.torchvision_compat import torchvision

torchvision()  # which torchmetrics imports
from torchmetrics import Metric  # noqa: E402
from torchmetrics.classification import MulticlassF1Score  # noqa: E402
from torchmetrics.image.fid import FrechetInceptionDistance  # noqa: E402
from torchmetrics.utilities import dim_zero_cat  # noqa: E402


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


class Perplexity(Metric):
    """exp(nats / tokens): the size of a vocabulary among whose tokens one would guess as well."""

    nats: Tensor
    tokens: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("nats", "tokens"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, nats: Tensor, tokens: Tensor) -> None:
        """Add the cross-entropy (scalar, a sum in nats) of so many tokens."""
        self.nats += nats
        self.tokens += tokens

    def compute(self) -> Tensor:
        return (self.nats / self.tokens).exp()


class OfStrings(Metric):
    """A score of all strings of a split, such as predicted and true sentences, on all ranks.

    The ranks gather the strings as bytes, in their order.
    """

    bytes: list[Tensor]
    lengths: list[Tensor]

    def __init__(self, score: Callable[..., float]) -> None:
        """`score` is given the columns that `update` was given, each as one list."""
        super().__init__()
        self.score = score
        self.add_state("bytes", [], dist_reduce_fx="cat")
        self.add_state("lengths", [], dist_reduce_fx="cat")

    def update(self, *columns: Sequence[str]) -> None:
        rows = [[it.encode() for it in row] for row in zip(*columns, strict=True)]
        joined = bytearray(b"".join(it for row in rows for it in row))
        raw = torch.frombuffer(joined, dtype=torch.uint8) if joined else torch.zeros(0).byte()
        self.bytes.append(raw.clone().to(self.device))
        lengths = torch.tensor([[*map(len, row)] for row in rows])
        self.lengths.append(lengths.view(-1, len(columns)).to(self.device))

    def compute(self) -> float:
        lengths = dim_zero_cat(self.lengths)
        raw, ends = bytes(dim_zero_cat(self.bytes).tolist()), lengths.flatten().cumsum(0).tolist()
        strings = [raw[start:end].decode() for start, end in itertools.pairwise([0, *ends])]
        width = lengths.shape[1]
        return self.score(*(strings[column::width] for column in range(width)))


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


class OfEntities(Metric):
    """Precision, recall or F1 of entities over all examples (micro average), in [0, 1]; 0 where
    none is right."""

    counts: Tensor

    def __init__(self, score: str) -> None:
        super().__init__()
        self.score = score
        self.add_state("counts", torch.zeros(3, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, right: Tensor, predicted: Tensor, true: Tensor) -> None:
        """Add counts of entities, scalars each."""
        self.counts += torch.stack([right, predicted, true])

    def compute(self) -> Tensor:
        right, predicted, true = self.counts
        wholes = {"f1": (predicted + true) / 2, "precision": predicted, "recall": true}
        return right / wholes[self.score].clamp(min=0.5)
