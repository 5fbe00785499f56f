"""Transformer encoder (Vaswani et al., arXiv:1706.03762; on images: Dosovitskiy et al.,
arXiv:2010.11929).

The patches of an image are embedded by convolutions (Xiao et al., arXiv:2106.14881), the steps of a
sequence by a dense layer, and learned position embeddings are added. Every layer is self-attention,

    softmax(Q Kᵀ / √d) V,

head by head, and a dense network. The outputs are a dense layer of the mean over positions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hpc_dl.tasks.padding import is_real
from hpc_dl.tasks.state import State
from hpc_dl.zoo.supervised import Supervised


class Encoder(nn.Module):
    """Images (B, C, H, W) or sequences (B, T, F) to outputs (B, outputs)."""

    def __init__(
        self, enter: nn.Module, positions: int, layers: nn.Module, width: int, outputs: int
    ) -> None:
        super().__init__()
        self.enter = enter
        self.place = nn.Parameter(torch.empty(positions, width).normal_(0, 0.02))
        self.layers = layers
        self.head = nn.Linear(width, outputs)

    def forward(self, example: Tensor, length: Tensor | None = None) -> Tensor:
        """Read examples, of which the first `length` (B,) steps are real, or all."""
        if length is None:
            return self.head(self.layers(self.enter(example) + self.place).mean(dim=1))
        real = is_real(length, example.shape[1])
        embedded = self.enter(example) + self.place[: example.shape[1]]
        encoded = self.layers(embedded, src_key_padding_mask=~real)
        return self.head(encoded.where(real[..., None], 0).sum(dim=1) / length[:, None])


class CausalEncoder(nn.Module):
    """Tokens (B, T) int64 to logits of the next token at each position, (B, T, V), by causal
    attention to the last `positions` tokens.

    The state is the tokens before, (B, T').
    """

    def __init__(self, vocabulary: int, positions: int, layers: nn.Module, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.place = nn.Parameter(torch.empty(positions, width).normal_(0, 0.02))
        self.layers = layers
        self.head = nn.Linear(width, vocabulary)

    def forward(
        self, tokens: Tensor, length: Tensor | None = None, state: State = None
    ) -> tuple[Tensor, State]:
        context = tokens if state is None else torch.cat([state, tokens], dim=1)
        context = context[:, -len(self.place) :]
        count = context.shape[1]
        later = torch.ones(count, count, dtype=torch.bool, device=tokens.device).triu(1)
        embedded = self.embedding(context) + self.place[:count]
        encoded = self.layers(embedded, mask=later, is_causal=True)
        return self.head(encoded[:, -tokens.shape[1] :]), context


class PatchEmbedding(nn.Module):
    """Images (B, C, H, W) to embeddings of their patches, (B, patches, width).

    A convolution for each factor 2 of the patch side halves the image, one more does the rest.
    """

    def __init__(self, channels: int, patch: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        half = max(1, width // 2)
        while patch % 2 == 0 and patch > 2:
            patch //= 2
            layers += [nn.Conv2d(channels, half, 3, stride=2, padding=1), nn.GELU()]
            channels = half
        kernel = patch | 1  # an odd one has a middle
        layers.append(nn.Conv2d(channels, width, kernel, stride=patch, padding=kernel - patch))
        self.squares = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        return self.squares(image).flatten(2).transpose(1, 2)


class Transformer(Supervised):
    """Transformer encoder of images or sequences, or causal one of tokens."""

    def network(self) -> nn.Module:
        it = self.options
        layer = nn.TransformerEncoderLayer(
            it.width,
            it.heads,
            it.feedforward,
            it.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        layers = nn.TransformerEncoder(
            layer, it.depth, norm=nn.LayerNorm(it.width), enable_nested_tensor=False
        )
        if self.facts.modality == "text":
            return CausalEncoder(self.facts.outputs, self.facts.shape[0], layers, it.width)
        enter, positions = self._embedding()
        return Encoder(enter, positions, layers, it.width, self.facts.outputs)

    def _embedding(self) -> tuple[nn.Module, int]:
        """Return the embedding of an example's parts, and their number."""
        it, facts = self.options, self.facts
        if facts.modality == "sequence":
            return nn.Linear(facts.shape[-1], it.width), facts.shape[0]
        channels, height, width = facts.shape
        positions = (height // it.patch) * (width // it.patch)
        return PatchEmbedding(channels, it.patch, it.width), positions
