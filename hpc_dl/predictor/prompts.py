"""Prompts as a network takes them: token ids, from raw text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Never

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hpc_dl.data.tokens import Tokenizer
from hpc_dl.errors import UserError, first_few, printable
from hpc_dl.jobspec.facts import UNKNOWN


@dataclass(frozen=True)
class Prompts:
    """Encodes prompts by the tokenizer of the training."""

    tokenizer: Tokenizer

    def batch(self, given: Any) -> dict[str, Tensor]:
        """Return the tensors for `predict`. Raises UserError for a prompt that is empty, or has a
        token that the training text has not."""
        rows = [self._encoded(prompt, n) for n, prompt in enumerate(strings(given), start=1)]
        length = torch.tensor([*map(len, rows)])
        return {"text": pad_sequence(rows, batch_first=True), "text_length": length}

    def _encoded(self, prompt: str, number: int) -> Tensor:
        ids = torch.from_numpy(self.tokenizer.encode(prompt))
        if not len(ids):
            raise UserError(f"prompt {number} is empty", hint="Give one token at least.")
        if self.tokenizer.tokens[0] == UNKNOWN and (unknown := (ids == 0).nonzero()).numel():
            self._refuse(prompt, number, int(unknown[0]))
        return ids

    def _refuse(self, prompt: str, number: int, place: int) -> Never:
        """Raise UserError for the first token that is unknown."""
        if self.tokenizer.kind != "characters":
            raise UserError(
                f"prompt {number}: the training text does not have its token {place + 1}, or it is "
                "none of the most frequent of the vocabulary",
                hint="Tokens are: " + first_few(map(repr, self.tokenizer.tokens[1:]), 8) + ".",
            )
        raise UserError(
            f"prompt {number} has {prompt[place]!r} at place {place + 1}, a character that the "
            "training text does not have",
            hint=f"It has: {first_few(map(repr, self.tokenizer.tokens[1:]), 100)}.",
        )


def strings(given: Any) -> list[str]:
    """Return one text or several: a string, a list, an array, a column, or one of these under any
    name."""
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        names = [*given] if isinstance(given, Mapping) else [*given.columns]
        if len(names) != 1:
            raise UserError(
                f"the network takes text, but was given {', '.join(map(str, names))}",
                hint=f"Give one column: predict(given[{names[0]!r}])." if names else "",
            )
        given = given[names[0]]
    found = [given] if isinstance(given, str) else np.asarray(given, dtype=object).ravel().tolist()
    if not found or not all(isinstance(it, str) for it in found):
        raise UserError("the network takes text", hint='Give strings: predict(["To be"]).')
    for number, text in enumerate(found, start=1):
        refuse_other_encodings(text, f"text {number}")
    return found


def refuse_other_encodings(text: str, where: str) -> None:
    """Raise UserError for a text with bytes that were not UTF-8, as a shell may give them."""
    if any("\ud800" <= it <= "\udfff" for it in text):
        raise UserError(f"{where} is not in UTF-8: {printable(text[:40])}")
