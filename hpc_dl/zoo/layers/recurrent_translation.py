"""Recurrent encoder and decoder with attention (Bahdanau, Cho and Bengio, arXiv:1409.0473).

The attention is that of Luong, Pham and Manning (arXiv:1508.04025), with the score
s(t)ᵀ W m(j) / √d of the state s(t) of the first layer of the decoder and the memory m(j), both of d
numbers. Its context goes into the layers above, as in Wu et al. (arXiv:1609.08144), and into the
output

    softmax(E tanh(W [s'(t); c(t)])),

where E are the embeddings of the tokens (Press and Wolf, arXiv:1608.05859). No layer waits for the
one above, so each reads a whole translation in one call.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hpc_dl.jobspec.facts import BEGIN, DataFacts
from hpc_dl.tasks.padding import is_real
from hpc_dl.tasks.state import State
from hpc_dl.zoo.layers.encoder_decoder import EncoderDecoder, Memory, beside
from hpc_dl.zoo.layers.recurrent import Layer, RecurrentLayers, in_fp32, swap_batch


def recurrent_translation(
    facts: DataFacts, layer: Layer, layers: int, dropout: float, *, both_ways: bool
) -> RecurrentTranslation:
    """Return the network for texts and translations, which reads a text `both_ways` or forwards."""
    text, translation = (
        it.vocabulary for it in (facts.inputs["text"], facts.targets["translation"])
    )
    begin = translation.index(BEGIN)
    return RecurrentTranslation(
        layer, layers, len(text), len(translation), begin, dropout, both_ways=both_ways
    )


class RecurrentTranslation(EncoderDecoder):
    """Recurrent encoder, and a decoder of as many layers, with attention."""

    def __init__(
        self,
        layer: Layer,
        layers: int,
        source: int,
        vocabulary: int,
        begin: int,
        dropout: float,
        *,
        both_ways: bool,
    ) -> None:
        """`source` and `vocabulary` are the numbers of tokens of texts and of translations."""
        super().__init__()
        self.begin, self.dropout = begin, dropout
        width = layer(1).hidden_size
        self.source_embedding = nn.Embedding(source, width)
        self.encoder = RecurrentLayers(layer, layers, width, width, dropout, both_ways=both_ways)
        self.memory = nn.Linear(self.encoder.width, width)
        self.first_states = nn.ModuleList(
            nn.Linear(self.encoder.width, width) for _ in range(layers)
        )
        self.embedding = nn.Embedding(vocabulary, width)
        self.decoder = nn.ModuleList(
            layer(2 * width if number else width) for number in range(layers)
        )
        self.score = nn.Linear(width, width, bias=False)
        self.merge = nn.Linear(2 * width, width)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        for embedding in (self.source_embedding, self.embedding):
            nn.init.normal_(embedding.weight, std=width**-0.5)

    def encode(self, text: Tensor, length: Tensor) -> Memory:
        sequence = self._drop(self.source_embedding(text))
        states, last = self.encoder(sequence.transpose(0, 1), length)
        return {
            "real": is_real(length, text.shape[1]),
            "read": self.memory(self._drop(states.transpose(0, 1))),
            "last": last,
        }

    def decode(self, tokens: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        states = self._first(memory) if state is None else state["layers"]
        sequence, after = self._drop(self.embedding(tokens)), []
        context, weights = sequence, sequence
        for number, layer in enumerate(self.decoder):
            if number:
                sequence = self._drop(torch.cat([sequence, context], dim=2))
            sequence, last = self._run(layer, sequence, states[number])
            after.append(last)
            if not number:
                context, weights = self._attend(sequence, memory)
        merged = torch.tanh(self.merge(torch.cat([sequence, context], dim=2)))
        logits = F.linear(self._drop(merged), self.embedding.weight, self.bias)
        return logits, {"layers": tuple(after), "attention": weights[:, -1]}

    def _run(self, layer: Any, sequence: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Return the states of a layer (B, T, width), and the last, for the next step."""
        with in_fp32(sequence.device.type):
            before = None if state is None else swap_batch(state)
            states, last = layer(sequence.float().transpose(0, 1), before)
        return states.transpose(0, 1), swap_batch(last)

    def _first(self, memory: Memory) -> list[State]:
        """The states before the first token; the cells of an LSTM are empty."""
        found = [torch.tanh(it(memory["last"])).float()[:, None] for it in self.first_states]
        if isinstance(self.decoder[0], nn.LSTM):
            return [(it, torch.zeros_like(it)) for it in found]
        return list(found)

    def _attend(self, sequence: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Return the contexts (R, T, width) and the weights of the memory (R, T, S)."""
        rows, steps, _ = sequence.shape
        read, real = memory["read"], memory["real"]
        asked = self.score(beside(sequence, len(read))) / math.sqrt(read.shape[2])
        scores = asked @ read.transpose(1, 2)
        weights = scores.masked_fill(~real[:, None], -torch.inf).softmax(dim=2)
        return (weights @ read).view(rows, steps, -1), weights.view(rows, steps, -1)

    def _drop(self, given: Tensor) -> Tensor:
        return F.dropout(given, self.dropout, self.training)
