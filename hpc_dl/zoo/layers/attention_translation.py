"""Encoder and decoder of attention alone (Vaswani et al., arXiv:1706.03762), with layer norm before
each layer (Xiong et al., arXiv:2002.04745), and the embeddings of the tokens as weights of the
output (Press and Wolf, arXiv:1608.05859)."""

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


def attention_translation(facts: DataFacts, layers: int, **options: Any) -> AttentionTranslation:
    """Return the network for texts and translations; `options` are those of its layers."""
    text, translation = facts.inputs["text"], facts.targets["translation"]
    begin = translation.vocabulary.index(BEGIN)
    return AttentionTranslation(
        layers, len(text.vocabulary), len(translation.vocabulary), begin, **options
    )


class AttentionTranslation(EncoderDecoder):
    """Transformer encoder, and a decoder of as many layers."""

    def __init__(
        self,
        layers: int,
        source: int,
        vocabulary: int,
        begin: int,
        *,
        width: int,
        heads: int,
        feedforward: int,
        dropout: float,
    ) -> None:
        """`source` and `vocabulary` are the numbers of tokens of texts and of translations."""
        super().__init__()
        self.begin, self.width = begin, width
        self.source_embedding = nn.Embedding(source, width)
        self.embedding = nn.Embedding(vocabulary, width)
        layer = nn.TransformerEncoderLayer(
            width, heads, feedforward, dropout, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.decoder: Any = nn.ModuleList(
            DecoderLayer(width, heads, feedforward, dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        for embedding in (self.source_embedding, self.embedding):
            nn.init.normal_(embedding.weight, std=width**-0.5)

    def encode(self, text: Tensor, length: Tensor) -> Memory:
        real = is_real(length, text.shape[1])
        embedded = self._place(self.source_embedding(text), 0)
        read = self.encoder(embedded, src_key_padding_mask=~real)
        memory = {"real": real}
        for number, layer in enumerate(self.decoder):
            memory[f"keys{number}"], memory[f"values{number}"] = layer.reading.project(read)
        return memory

    def decode(self, tokens: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        before: Any = state["layers"] if state else [None] * len(self.decoder)
        past = before[0][0].shape[2] if state else 0
        sequence, after = self._place(self.embedding(tokens), past), []
        for number, layer in enumerate(self.decoder):
            source = memory[f"keys{number}"], memory[f"values{number}"]
            sequence, cache, asked = layer(sequence, source, memory["real"], before[number])
            after.append(cache)
        logits = F.linear(self.norm(sequence), self.embedding.weight)
        last = beside(asked[:, -1:], len(memory["real"]))
        weights = layer.reading.weights(last, source[0], memory["real"][:, None, None])
        return logits, {"layers": after, "attention": weights.flatten(0, 1)}

    def _place(self, embedded: Tensor, past: int) -> Tensor:
        """Add the positions to embeddings (B, T, width), the first of which is after `past`."""
        places = sinusoids(past + embedded.shape[1], self.width, embedded)[past:]
        return self.dropout(embedded * math.sqrt(self.width) + places)


Cache = tuple[Tensor, Tensor]
"""Keys and values of the tokens before, (R, heads, T, width / heads) each."""


class DecoderLayer(nn.Module):
    """Attention to the tokens before, attention to the source, and a dense network."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.before, self.reading = Attention(width, heads), Attention(width, heads)
        self.dense = nn.Sequential(
            nn.Linear(width, feedforward),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(feedforward, width),
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, given: Tensor, source: Cache, real: Tensor, cache: Cache | None
    ) -> tuple[Tensor, Cache, Tensor]:
        """Return the tokens' vectors (R, T, width), the cache of those before the next, and what
        asks the source; `given` are their vectors in the layer below."""
        normed = self.norms[0](given)
        keys, values = self.before.project(normed)
        if cache is not None:
            keys, values = torch.cat([cache[0], keys], 2), torch.cat([cache[1], values], 2)
        count, past = given.shape[1], keys.shape[2] - given.shape[1]
        seen = torch.ones(count, past + count, dtype=torch.bool, device=given.device).tril(past)
        given = given + self.dropout(self.before(normed, keys, values, seen))
        asked = self.norms[1](given)
        read = self.reading(beside(asked, len(real)), *source, real[:, None, None])
        given = given + self.dropout(read.view_as(given))
        return given + self.dropout(self.dense(self.norms[2](given))), (keys, values), asked


class Attention(nn.Module):
    """Attention of several heads: softmax(Q Kᵀ / √d) V, head by head."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.keys_values = nn.Linear(width, 2 * width)

    def project(self, read: Tensor) -> Cache:
        """Return keys and values of what is read (B, S, width), (B, heads, S, width / heads)."""
        keys, values = self.keys_values(read).chunk(2, dim=2)
        return self._divide(keys), self._divide(values)

    def forward(self, given: Tensor, keys: Tensor, values: Tensor, seen: Tensor) -> Tensor:
        """Return what each of (B, T, width) reads where it may see, (B, T, width)."""
        read = F.scaled_dot_product_attention(
            self._divide(self.query(given)), keys, values, attn_mask=seen
        )
        return self.out(read.transpose(1, 2).flatten(2))

    def weights(self, given: Tensor, keys: Tensor, seen: Tensor) -> Tensor:
        """Return the weights of the attention, the mean over the heads, (B, T, S)."""
        queries = self._divide(self.query(given))
        scores = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])
        return scores.masked_fill(~seen, -torch.inf).softmax(dim=3).mean(dim=1)

    def _divide(self, given: Tensor) -> Tensor:
        """Return (B, T, width) as (B, heads, T, width / heads)."""
        return given.unflatten(2, (self.heads, -1)).transpose(1, 2)


def sinusoids(count: int, width: int, like: Tensor) -> Tensor:
    """Return position embeddings (count, width): sines and cosines of wavelengths 2π to 10⁴ · 2π,
    on the device of `like`."""
    half = torch.arange(0, width, 2, device=like.device)
    angles = torch.arange(count, device=like.device)[:, None] * 1e4 ** (-half / width)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width].to(like.dtype)
