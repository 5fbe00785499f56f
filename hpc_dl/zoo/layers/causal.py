"""Causal attention, whose keys and values are kept from step to step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hpc_dl.tasks.state import State

Cache = tuple[Tensor, Tensor]
"""Keys and values of a layer, (B, heads, T, width / heads) each."""


class CausalEncoder(nn.Module):
    """Tokens (B, T) int64, or vectors (B, T, F), to outputs about the next at each position, (B, T,
    outputs), such as logits, by causal attention to the last `positions` of them at most.

    A state is for going on step by step: `given`, the tokens or vectors that it has seen, and for
    each layer their keys and values, so that a step computes its own position alone. A network
    knows as many positions as it was trained on; once these are full, it goes on with the later
    half of what it has seen, and computes that anew.
    """

    def __init__(
        self,
        embedding: nn.Module,
        positions: int,
        layers: nn.TransformerEncoder,
        width: int,
        outputs: int,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.place = nn.Parameter(torch.empty(positions, width).normal_(0, 0.02))
        self.layers = layers
        self.head = nn.Linear(width, outputs)

    def forward(
        self, tokens: Tensor, length: Tensor | None = None, state: State = None
    ) -> tuple[Tensor, State]:
        count = tokens.shape[1]
        if state is not None or (count == 1 and length is None):
            return self._go_on(tokens, state)
        later = torch.ones(count, count, dtype=torch.bool, device=tokens.device).triu(1)
        embedded = self.embedding(tokens) + self.place[:count]
        return self.head(self.layers(embedded, mask=later, is_causal=True)), None

    def _go_on(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the outputs for tokens (B, 1, ...) after those of a state, and the new state."""
        seen = tokens if state is None else torch.cat([state["given"], tokens], dim=1)
        caches, new = None if state is None else state["layers"], tokens
        if seen.shape[1] > len(self.place):
            seen = seen[:, -max(1, len(self.place) // 2) :]
            caches, new = None, seen
        first = seen.shape[1] - new.shape[1]
        sequence, after = self.embedding(new) + self.place[first : seen.shape[1]], []
        for number, layer in enumerate(self.layers.layers):
            cache = None if caches is None else caches[number]
            sequence, cache = _extend(layer, sequence, cache)
            after.append(cache)
        normed = self.layers.norm(sequence[:, -1:])  # type: ignore[misc]
        return self.head(normed), {"given": seen, "layers": tuple(after)}


def _extend(layer: Any, sequence: Tensor, cache: Cache | None) -> tuple[Tensor, Cache]:
    """Return the vectors (B, T, width) of new positions after a layer of torch, with layer norm
    first and without dropout, and the keys and values up to them."""
    attention = layer.self_attn
    heads = F.linear(layer.norm1(sequence), attention.in_proj_weight, attention.in_proj_bias)
    queries, keys, values = (
        it.unflatten(2, (attention.num_heads, -1)).transpose(1, 2) for it in heads.chunk(3, dim=2)
    )
    if cache is not None:
        keys, values = (torch.cat(pair, dim=2) for pair in zip(cache, (keys, values), strict=True))
    count, past = queries.shape[2], keys.shape[2] - queries.shape[2]
    seen = torch.ones(count, past + count, dtype=torch.bool, device=sequence.device).tril(past)
    read = F.scaled_dot_product_attention(queries, keys, values, attn_mask=seen)
    sequence = sequence + attention.out_proj(read.transpose(1, 2).flatten(2))
    dense = layer.linear2(layer.activation(layer.linear1(layer.norm2(sequence))))
    return sequence + dense, (keys, values)
