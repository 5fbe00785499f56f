"""Encoder-decoder networks: a source text is read once, and a translation of it is written token by
token (Sutskever, Vinyals and Le, arXiv:1409.3215).

What the decoder reads of the source is its memory, which is computed once. Several translations of
one source, as in a beam, are rows that follow each other, and share its memory: their queries are
those of one longer sequence, so that nothing of the memory is copied.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.nn import functional as F

from hpc_dl.tasks.decoding import Step
from hpc_dl.tasks.state import State

Memory = dict[str, Tensor]
"""Tensors by name, whose first axis is the source; `real`, (B, S) bool, is False for padding."""


class EncoderDecoder(nn.Module, ABC):
    """Texts (B, S) int64 to logits of the tokens of their translations (B, T, V).

    The token `begin` stands before each translation.
    """

    begin: int

    @abstractmethod
    def encode(self, text: Tensor, length: Tensor) -> Memory:
        """Read texts, of which the first `length` (B,) tokens are real."""

    @abstractmethod
    def decode(self, tokens: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        """Return the logits after each token (R, T, V), and the state, in which `attention`,
        (R, S), is how the last token has read the source; R is B, or a multiple of it."""

    def forward(
        self,
        tokens: Tensor,
        length: Tensor | None = None,
        translation: Tensor | None = None,
        *,
        memory: Memory | None = None,
        state: State = None,
    ) -> tuple[Tensor | Memory, State]:
        """Return the logits of each token of a `translation` from those before it; without one
        the memory of a text; with a `memory` the logits after the `tokens` of a translation."""
        if memory is not None:
            return self.decode(tokens, memory, state)
        assert length is not None
        read = self.encode(tokens, length)
        if translation is None:
            return read, None
        before = F.pad(translation[:, :-1], (1, 0), value=self.begin)
        return self.decode(before, read, None)


def beside(queries: Tensor, sources: int) -> Tensor:
    """Return queries (R, T, ...) of R / B translations of each source as (B, R / B * T, ...)."""
    return queries.reshape(sources, -1, *queries.shape[2:])


def step_of(network: nn.Module, text: Tensor, length: Tensor) -> Step:
    """Return what writes translations of texts, which are read once; a user's network, or one that
    is wrapped, takes what `EncoderDecoder.forward` does."""
    memory, _ = network(text, length)

    def read(tokens: Tensor, state: State) -> tuple[Tensor, State]:
        logits, state = network(tokens[:, None], memory=memory, state=state)
        return logits[:, -1], state

    return read
