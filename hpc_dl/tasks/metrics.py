"""Metrics of generated images and of many classes, exact over ranks.

To be imported inside functions: torchmetrics takes its time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hpc_dl.torchvision_compat import torchvision

torchvision()  # which torchmetrics imports
from torchmetrics import Metric  # noqa: E402
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


class ClassF1(Metric):
    """The macro average of the F1 scores of the classes that are true or predicted, in [0, 1].

    They are counted at the end, which takes less time than batch by batch. Where torch is to be
    deterministic, torchmetrics makes a table (examples, classes²) to count in: gigabytes, for a
    thousand classes. `bincount` of whole numbers is deterministic as it is.
    """

    predicted: list[Tensor]
    label: list[Tensor]

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        for name in ("predicted", "label"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, predicted: Tensor, label: Tensor) -> None:
        """Add predicted and true classes, (N,) int64 each."""
        self.predicted.append(predicted)
        self.label.append(label)

    def compute(self) -> Tensor:
        predicted, label = dim_zero_cat(self.predicted), dim_zero_cat(self.label)
        right, held, true = (
            torch.bincount(it, minlength=self.classes)
            for it in (label[predicted == label], predicted, label)
        )
        return (2 * right / (held + true))[held + true > 0].mean()


class ClassAUROC(Metric):
    """The macro average of the one-vs-rest AUROC, in [0, 1], over the classes for which it is
    defined: that have held-out examples, but not all of them. torchmetrics takes it to be 0 for the
    others.

    It is the share of pairs of an example of the class and another one in which the first has the
    greater probability, where ties count half (Mann and Whitney, Ann. Math. Statist. 18 (1947)):
    counted in sorted numbers, which takes a fraction of the time of drawing a curve.
    """

    logits: list[Tensor]
    label: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for name in ("logits", "label"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, logits: Tensor, label: Tensor) -> None:
        """Add logits (N, classes) and true classes (N,)."""
        self.logits.append(logits)
        self.label.append(label)

    def compute(self) -> Tensor:
        logits, label = dim_zero_cat(self.logits), dim_zero_cat(self.label).cpu().numpy()
        wide = torch.promote_types(logits.dtype, torch.float32)
        scores = logits.softmax(dim=1).to(wide).T.contiguous().cpu().numpy()
        if np.isnan(scores).any():  # of a network that has diverged
            return torch.tensor(torch.nan)
        areas = [_auroc(score, label == number) for number, score in enumerate(scores)]
        defined = [it for it in areas if it is not None]
        return torch.tensor(np.mean(defined) if defined else torch.nan)


def _auroc(scores: NDArray[Any], positive: NDArray[np.bool_]) -> float | None:
    """Return the AUROC of scores (N,); None where all examples are of one kind."""
    ours, theirs = np.sort(scores[positive]), np.sort(scores[~positive])
    if not len(ours) or not len(theirs):
        return None
    below = theirs.searchsorted(ours, "left") + theirs.searchsorted(ours, "right")
    return float(below.mean() / (2 * len(theirs)))


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
