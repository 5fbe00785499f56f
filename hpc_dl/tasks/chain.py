"""Linear-chain conditional random field (Lafferty, McCallum and Pereira, ICML 2001): the
probability of a sequence of tags y of n is

    p(y) = exp(Σ_t ψ(t, y(t-1), y(t))) / Z,

with log-potentials ψ (B, T, n, n): of tag j at step t after tag i. At the first step, which has no
tag before, those of i = 0 count. Padding keeps the tag, at no cost: see `keep_tag`.
"""

from __future__ import annotations

import torch
from torch import Tensor

IMPOSSIBLE = -1e9
"""Log-potential of what does not happen. Finite, so that no gradient is NaN."""


def keep_tag(potentials: Tensor, real: Tensor) -> Tensor:
    """Return potentials (B, T, n, n) by which the steps that are not `real` (B, T) keep the tag of
    the step before: no sum or maximum depends on them."""
    tags = potentials.shape[-1]
    stay = torch.full((tags, tags), IMPOSSIBLE, device=potentials.device).fill_diagonal_(0)
    return potentials.where(real[..., None, None], stay.to(potentials.dtype))


def negative_log_likelihood(potentials: Tensor, tags: Tensor, real: Tensor) -> Tensor:
    """Return -log p of the true tags (B, T) in nats, (B,); only those that are `real` (B, T)
    count."""
    before = torch.cat([torch.zeros_like(tags[:, :1]), tags[:, :-1]], dim=1)
    chosen = before * potentials.shape[-1] + tags
    score = potentials.flatten(2).gather(2, chosen[..., None])[..., 0]
    return log_partition(potentials) - score.where(real, 0).sum(dim=1)


def log_partition(potentials: Tensor) -> Tensor:
    """Return log Z, (B,), by the forward algorithm."""
    forward = potentials[:, 0, 0]
    for step in potentials[:, 1:].unbind(dim=1):
        forward = (forward[:, :, None] + step).logsumexp(dim=1)
    return forward.logsumexp(dim=1)


def likeliest(potentials: Tensor) -> Tensor:
    """Return the likeliest tags, (B, T), by the Viterbi algorithm."""
    best, origins = potentials[:, 0, 0], []
    for step in potentials[:, 1:].unbind(dim=1):
        best, origin = (best[:, :, None] + step).max(dim=1)
        origins.append(origin)
    tags = [best.argmax(dim=1)]
    for origin in reversed(origins):
        tags.append(origin.gather(1, tags[-1][:, None])[:, 0])
    return torch.stack(tags[::-1], dim=1)
