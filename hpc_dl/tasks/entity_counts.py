"""Counts of entities, from tags as tensors: nothing waits for the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hpc_dl.jobspec.bio import OUTSIDE


class EntityCounts:
    """Counts the entities that tags in BIO mark: those that are right, all that are predicted, and
    all that there are.

    An entity is right if its first and its last word and its type are (Tjong Kim Sang and De
    Meulder, CoNLL 2003). An I- after anything but a tag of its type begins an entity as well.
    """

    def __init__(self, tags: Sequence[str]) -> None:
        types = sorted({it[2:] for it in tags if it != OUTSIDE})
        self._type = torch.tensor([0 if it == OUTSIDE else types.index(it[2:]) + 1 for it in tags])
        self._begins = torch.tensor([it.startswith("B-") for it in tags])

    def __call__(self, predicted: Tensor, true: Tensor, real: Tensor) -> tuple[Tensor, ...]:
        """Return the three counts of a batch, scalars; `predicted`, `true` and `real` are (B, T),
        and only real words count."""
        (said, said_end, says), (is_, end, there) = (
            self._spans(it, real) for it in (predicted, true)
        )
        right = says & there & (said == is_) & (said_end == end)
        return right.sum(), says.sum(), there.sum()

    def _spans(self, tags: Tensor, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return by word, (B, T) each, the type of its entity, 0 without, where the entity that
        begins there ends, and whether one does."""
        type_ = self._type.to(tags.device, non_blocking=True)[tags] * real
        before = torch.cat([torch.zeros_like(type_[:, :1]), type_[:, :-1]], dim=1)
        marked = self._begins.to(tags.device, non_blocking=True)[tags]
        begins = (type_ > 0) & (marked | (before != type_))
        places = torch.arange(1, tags.shape[1] + 1, device=tags.device)
        stops = torch.where((type_ == 0) | begins, places - 1, tags.shape[1])
        following = torch.cat([stops[:, 1:], torch.full_like(stops[:, :1], tags.shape[1])], dim=1)
        return type_, following.flip(1).cummin(dim=1).values.flip(1), begins
