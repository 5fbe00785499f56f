"""Texts as examples: token ids in memory, the longest ones truncated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hpc_dl.data.tokens.tokenizer import Ids, Tokenizer

if TYPE_CHECKING:
    from hpc_dl.data.ragged import Ragged


def truncate(ids: Sequence[Ids], longest: int | None) -> tuple[list[Ids], int]:
    """Return the first `longest` ids of each text, and how many texts were longer."""
    return [it[:longest] for it in ids], sum(len(it) > (longest or len(it)) for it in ids)


def note_truncated(count: int, examples: int, longest: int | None) -> tuple[str, ...]:
    """Note for the plan how many of the examples are truncated."""
    if not count:
        return ()
    return (f"{count} of {examples} texts have more than {longest} tokens and lose their end",)


def ragged(ids: Sequence[Ids], tokenizer: Tokenizer) -> Ragged:
    """Return the ids of texts as one tensor, in the smallest integer type that holds them."""
    import torch

    from hpc_dl.data.ragged import Ragged

    type_ = torch.uint8 if len(tokenizer.tokens) <= 256 else torch.int32
    offsets = torch.tensor([0, *map(len, ids)]).cumsum(0)
    values = np.concatenate(ids) if ids else np.zeros(0, np.int64)
    return Ragged(torch.from_numpy(values).to(type_), offsets)
