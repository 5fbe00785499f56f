"""Byte pairs as tokens (Sennrich et al., arXiv:1508.07909), of bytes as in GPT-2, by Hugging Face's
`tokenizers`: no text is unknown, and decoding gives back every text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from hpc_dl.data.tokens.bytes import BYTES
from hpc_dl.data.tokens.tokenizer import Ids, Tokenizer
from hpc_dl.installed import require

if TYPE_CHECKING:
    import tokenizers

DEFAULT_SIZE = 8000
"""Tokens where the job spec asks for no number."""


class BytePairs(Tokenizer):
    """Pieces of words, as they are merged in the training texts."""

    kind: ClassVar[str] = "byte_pairs"
    least_size: ClassVar[int] = BYTES

    def __init__(self, merged: tokenizers.Tokenizer) -> None:
        self.merged = merged
        ids = merged.get_vocab(with_added_tokens=True)
        self.tokens = tuple(sorted(ids, key=ids.__getitem__))

    @classmethod
    def fit(
        cls, texts: Iterable[str], size: int | None = None, specials: tuple[str, ...] = ()
    ) -> Self:
        library = _library()
        made = library.Tokenizer(library.models.BPE())
        made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = library.decoders.ByteLevel()
        trainer = library.trainers.BpeTrainer(
            vocab_size=size or DEFAULT_SIZE,
            special_tokens=list(specials),
            initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        made.train_from_iterator(texts, trainer)
        return cls(made)

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Self:
        try:
            return cls(_library().Tokenizer.from_str(json.dumps(state["tokenizer"])))
        except Exception as error:  # the library raises nothing more special
            raise ValueError(str(error)) from None

    def state(self) -> dict[str, Any]:
        return {"tokenizer": json.loads(self.merged.to_str())}

    def encode(self, text: str) -> Ids:
        return np.array(self.merged.encode(text).ids, dtype=np.int64)

    def encode_each(self, texts: Sequence[str]) -> list[Ids]:
        return [np.array(it.ids, dtype=np.int64) for it in self.merged.encode_batch(list(texts))]

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self.merged.decode(list(ids))
        return text


def _library() -> Any:
    return require("tokenizers", "text", "tokens: byte_pairs")
