"""Whole texts as a network takes them that says something about each: token ids, from raw text."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hpc_dl.data.tokens import Tokenizer
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import UNKNOWN
from hpc_dl.predictor.prompts import strings


@dataclass(frozen=True)
class Texts:
    """Encodes texts by the tokenizer of the training; what it does not know is UNKNOWN."""

    tokenizer: Tokenizer
    longest: int
    """Tokens that the network takes."""

    def batch(self, given: Any) -> dict[str, Tensor]:
        """Return the tensors for `predict`. Raises UserError for a text that is empty, or has what
        the tokenizer refuses; the end of a longer one than was trained on is lost, with a
        warning. Texts of nothing but UNKNOWN are warned of: their prediction says nothing."""
        rows = [self._encoded(text, n) for n, text in enumerate(strings(given), start=1)]
        lengths = [len(row) for row in rows]
        if longer := [n for n, count in enumerate(lengths, start=1) if count > self.longest]:
            warnings.warn(
                f"{len(longer)} of {len(rows)} texts, the first is text {longer[0]}, have more "
                f"tokens than the {self.longest} of the longest in the training, and lose their "
                "end",
                stacklevel=2,
            )
        rows = [row[: self.longest] for row in rows]
        if strange := [n for n, row in enumerate(rows, start=1) if self._is_unknown(row)]:
            warnings.warn(
                f"{len(strange)} of {len(rows)} texts, the first is text {strange[0]}, have no "
                "token that the training had: what is predicted of them says nothing",
                stacklevel=2,
            )
        return {
            "text": pad_sequence(rows, batch_first=True),
            "text_length": torch.tensor([*map(len, rows)]),
        }

    def _is_unknown(self, row: Tensor) -> bool:
        return self.tokenizer.tokens[0] == UNKNOWN and not bool(row.any())

    def _encoded(self, text: str, number: int) -> Tensor:
        if not text.strip():
            raise UserError(f"text {number} is empty", hint="Give one word at least.")
        try:
            return torch.from_numpy(self.tokenizer.encode(text))
        except UserError as error:
            raise UserError(f"text {number}: {error.message}", hint=error.hint) from None
