"""Sentences as a network that tags takes them: the ids and the bytes of their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hpc_dl.data.tagged.encoding import WordEncoder
from hpc_dl.errors import UserError
from hpc_dl.predictor.prompts import refuse_other_encodings


@dataclass(frozen=True)
class Sentences:
    """Encodes sentences by the words of the training."""

    encoder: WordEncoder
    longest: int
    """Words of a sentence at most."""

    def batch(self, given: Any) -> dict[str, Tensor]:
        """Return the tensors for `predict`. Raises UserError for a sentence without words, or with
        too many."""
        rows = [self._encoded(_words(it, n), n) for n, it in enumerate(_sentences(given), start=1)]
        length = torch.tensor([*map(len, rows)])
        return {"text": pad_sequence(rows, batch_first=True), "text_length": length}

    def _encoded(self, words: Sequence[str], number: int) -> Tensor:
        if not words:
            raise UserError(f"sentence {number} has no words")
        if len(words) > self.longest:
            raise UserError(
                f"sentence {number} has {len(words)} words, more than the {self.longest} of the "
                f"longest that was trained on: divide it into parts of at most {self.longest} "
                "words, each a sentence of its own, as data.longest did in the training"
            )
        return torch.from_numpy(self.encoder.encode(words)).long()


def _sentences(given: Any) -> Sequence[Any]:
    """Return one sentence or several as a list; they may be a column of a table as well."""
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        names = [*given] if isinstance(given, Mapping) else [*given.columns]
        if len(names) != 1:
            raise UserError(f"the network takes text, but was given {', '.join(map(str, names))}")
        given = given[names[0]]
    found = [given] if isinstance(given, str) else list(given) if hasattr(given, "__iter__") else []
    if not found:
        raise UserError("the network takes sentences", hint=_FORM)
    return found


_FORM = 'Give strings, predict(["Anna lives in Berlin ."]), or lists of words.'


def _words(sentence: Any, number: int) -> Sequence[str]:
    """Return the words of a sentence: those between blanks, or those of a list."""
    words = sentence.split() if isinstance(sentence, str) else sentence
    try:
        found = list(words)
    except TypeError:
        found = [None]
    if not all(isinstance(it, str) and it.strip() for it in found):
        raise UserError(f"sentence {number} is no string, and no list of words", hint=_FORM)
    refuse_other_encodings(" ".join(found), f"sentence {number}")
    return found
