"""Metrics that are no means, as functions of sums or of all examples; see `contract.Measured`.

They are hpcdl's own, because the import of torchmetrics takes longer than that of torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_AT_ONCE = 2**17
"""Probabilities that are computed together, which fit into a cache."""


def perplexity(nats: Tensor, tokens: Tensor) -> Tensor:
    """Return exp(nats / tokens): the size of a vocabulary among whose tokens one would guess as
    well."""
    return (nats / tokens).exp()


def macro_f1(predicted: Tensor, label: Tensor) -> Tensor:
    """Return the macro average of the F1 scores of the classes that are true or predicted, in
    [0, 1]; of classes (N,) int64 each."""
    classes = int(torch.cat([predicted, label]).max()) + 1
    right, held, true = (
        torch.bincount(it, minlength=classes)
        for it in (label[predicted == label], predicted, label)
    )
    return (2 * right / (held + true))[held + true > 0].mean()


def macro_auroc(logits: Tensor, label: Tensor) -> float:
    """Return the macro average of the one-vs-rest AUROC, in [0, 1], of logits (N, classes) over the
    classes for which it is defined: that have examples among `label` (N,), but not all of them."""
    scores = _probabilities(logits).numpy()
    if np.isnan(scores).any():  # of a network that has diverged
        return np.nan
    truth = label.numpy()
    areas = [_auroc(score, truth == number) for number, score in enumerate(scores)]
    defined = [it for it in areas if it is not None]
    return float(np.mean(defined)) if defined else np.nan


def _probabilities(logits: Tensor) -> Tensor:
    """Return the softmax, (classes, N), of logits (N, classes).

    It is computed in float64, so that examples with the same logits, in whatever order, are ties;
    and over the first axis, which for few classes takes a quarter of the time.
    """
    wide = torch.promote_types(logits.dtype, torch.float32)
    parts = logits.split(max(1, _AT_ONCE // logits.shape[1]))
    return torch.cat([it.T.softmax(0, dtype=torch.float64).to(wide) for it in parts], dim=1)


def auroc(scores: Tensor, positive: Tensor) -> float:
    """Return the AUROC of scores (N,), which are higher for `positive` (N,) bool; NaN where all
    examples are of one kind, or a score is NaN."""
    if scores.isnan().any():
        return np.nan
    area = _auroc(scores.numpy(), positive.numpy())
    return np.nan if area is None else area


def _auroc(scores: NDArray[Any], positive: NDArray[np.bool_]) -> float | None:
    """Return the AUROC of scores (N,); None where all examples are of one kind.

    It is the share of pairs of an example of the class and another one in which the first has the
    greater score, where ties count half (Mann and Whitney, Ann. Math. Statist. 18 (1947)): counted
    in sorted numbers, which takes a fraction of the time of drawing a curve.
    """
    ours, everybody = np.sort(scores[positive]), np.sort(scores)
    count, others = len(ours), len(everybody) - len(ours)
    if not count or not others:
        return None
    below = everybody.searchsorted(ours, "left") + everybody.searchsorted(ours, "right")
    # Examples of the class are among everybody, too: these pairs make count² in all.
    return (int(below.sum()) - count**2) / count / (2 * others)


def moments(features: Tensor) -> tuple[Tensor, Tensor, int]:
    """Return what a Gaussian is fitted to, of features (N, F): their sum (F,), the sum of their
    outer products (F, F), and N."""
    wide = features.double()
    return wide.sum(dim=0), wide.T @ wide, len(wide)


def frechet_distance(*moments_of_both: Tensor) -> Tensor:
    """Return the Fréchet distance between two sets of features, taken as Gaussian (Heusel et al.,
    arXiv:1706.08500): |μ - μ'|² + tr(Σ + Σ' - 2 √(Σ Σ')); of the `moments` of the one and the
    other."""
    (mean, covariance), (other_mean, other_covariance) = (
        _gaussian(*moments_of_both[:3]),
        _gaussian(*moments_of_both[3:]),
    )
    root = torch.linalg.eigvals(covariance @ other_covariance).sqrt().real.sum()
    apart = (mean - other_mean).square().sum()
    return apart + covariance.trace() + other_covariance.trace() - 2 * root


def _gaussian(total: Tensor, products: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (F,) and the covariance (F, F), unbiased."""
    mean = total / count
    return mean, (products - count * mean.outer(mean)) / (count - 1)
