"""Recurrent encoder and decoder with attention (Bahdanau, Cho and Bengio, arXiv:1409.0473).

The attention is that of Luong, Pham and Manning (arXiv:1508.04025), with the score s(t)ᵀ W m(j) of
the state s(t) of the first layer of the decoder and the memory m(j). Its context goes into the
layers above, as in Wu et al. (arXiv:1609.08144), and into the output

    softmax(E tanh(W [s'(t); c(t)])),

where E are the embeddings of the tokens (Press and Wolf, arXiv:1608.05859). No layer waits for the
one above, so each reads a whole translation in one call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from hpc_dl.jobspec.data import BEGIN, DataFacts
from hpc_dl.tasks.padding import is_real
from hpc_dl.tasks.state import State
from hpc_dl.zoo.layers.encoder_decoder import EncoderDecoder, Memory, beside
from hpc_dl.zoo.layers.recurrent import _in_fp32, _swap_batch


def recurrent_translation(
    facts: DataFacts, layer: Callable[..., nn.RNNBase], layers: int, dropout: float
) -> RecurrentTranslation:
    """Return the network for texts and translations; `layer` makes a layer of an input size, which
    reads as the encoder does unless it is told to read forwards alone."""
    text, translation = facts.inputs["text"], facts.targets["translation"]
    begin = translation.vocabulary.index(BEGIN)
    return RecurrentTranslation(
        layer, layers, len(text.vocabulary), len(translation.vocabulary), begin, dropout
    )


class RecurrentTranslation(EncoderDecoder):
    """Recurrent encoder, and a decoder of as many layers, with attention."""

    def __init__(
        self,
        layer: Callable[..., nn.RNNBase],
        layers: int,
        source: int,
        vocabulary: int,
        begin: int,
        dropout: float,
    ) -> None:
        """`source` and `vocabulary` are the numbers of tokens of texts and of translations."""
        super().__init__()
        self.begin, self.dropout = begin, dropout
        first = layer(1)
        width = first.hidden_size
        read = 2 * width if first.bidirectional else width
        self.source_embedding = nn.Embedding(source, width)
        self.encoder = nn.ModuleList(layer(read if number else width) for number in range(layers))
        self.memory = nn.Linear(read, width)
        self.first_states = nn.ModuleList(nn.Linear(read, width) for _ in range(layers))
        self.embedding = nn.Embedding(vocabulary, width)
        self.decoder = nn.ModuleList(
            layer(2 * width if number else width, both_ways=False) for number in range(layers)
        )
        self.score = nn.Linear(width, width, bias=False)
        self.merge = nn.Linear(2 * width, width)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        for embedding in (self.source_embedding, self.embedding):
            nn.init.normal_(embedding.weight, std=width**-0.5)

    def encode(self, text: Tensor, length: Tensor) -> Memory:
        embedded = self._drop(self.source_embedding(text))
        # Reading backwards begins at the last real token; packing waits for the device.
        packed: Any = pack_padded_sequence(
            embedded.transpose(0, 1), length.cpu(), enforce_sorted=False
        )
        with _in_fp32(text.device.type):
            for number, layer in enumerate(self.encoder):
                if number:
                    packed = packed._replace(data=self._drop(packed.data))
                packed, last = layer(packed)
        read, _ = pad_packed_sequence(packed, batch_first=True, total_length=text.shape[1])
        state = last[0] if isinstance(last, tuple) else last  # (ways, B, width)
        return {
            "real": is_real(length, text.shape[1]),
            "read": self.memory(self._drop(read)),
            "last": torch.cat(list(state), dim=1),
        }

    def decode(self, tokens: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        states = self._first(memory) if state is None else state["layers"]
        sequence, after = self._drop(self.embedding(tokens)), []
        context, weights = sequence, sequence
        for number, layer in enumerate(self.decoder):
            if number:
                sequence = self._drop(torch.cat([sequence, context], dim=2))
            with _in_fp32(tokens.device.type):
                sequence, last = layer(sequence.transpose(0, 1), _swap_batch(states[number]))
            sequence = sequence.transpose(0, 1)
            after.append(_swap_batch(last))
            if not number:
                context, weights = self._attend(sequence, memory)
        merged = torch.tanh(self.merge(torch.cat([sequence, context], dim=2)))
        logits = F.linear(self._drop(merged), self.embedding.weight, self.bias)
        return logits, {"layers": tuple(after), "attention": weights[:, -1]}

    def _first(self, memory: Memory) -> list[State]:
        """The states before the first token; the cells of an LSTM are empty."""
        found = [torch.tanh(it(memory["last"]))[:, None] for it in self.first_states]
        if isinstance(self.decoder[0], nn.LSTM):
            return [(it, torch.zeros_like(it)) for it in found]
        return list(found)

    def _attend(self, sequence: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Return the contexts (R, T, width) and the weights of the memory (R, T, S)."""
        rows, steps, _ = sequence.shape
        read, real = memory["read"], memory["real"]
        scores = self.score(beside(sequence, len(read))) @ read.transpose(1, 2)
        weights = scores.masked_fill(~real[:, None], -torch.inf).softmax(dim=2)
        return (weights @ read).view(rows, steps, -1), weights.view(rows, steps, -1)

    def _drop(self, given: Tensor) -> Tensor:
        return F.dropout(given, self.dropout, self.training)
