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

from hpc_dl.errors import UserError
from hpc_dl.tasks.padding import is_real
from hpc_dl.zoo.layers import fronts
from hpc_dl.zoo.layers.attention_translation import attention_translation
from hpc_dl.zoo.layers.causal import CausalEncoder
from hpc_dl.zoo.layers.fronts import Front
from hpc_dl.zoo.supervised import Supervised


class Encoder(nn.Module):
    """Images (B, C, H, W) or sequences to outputs (B, outputs), or (B, T, outputs) `of_steps`."""

    def __init__(
        self,
        front: Front,
        enter: nn.Module,
        positions: int,
        layers: nn.Module,
        width: int,
        outputs: int,
        *,
        of_steps: bool,
    ) -> None:
        """`enter` embeds what comes of the front in `width` numbers a position."""
        super().__init__()
        self.front, self.enter, self.of_steps = front, enter, of_steps
        self.place = nn.Parameter(torch.empty(positions, width).normal_(0, 0.02))
        self.layers = layers
        self.head = nn.Linear(width, outputs)

    def forward(self, example: Tensor, length: Tensor | None = None) -> Tensor:
        """Read examples, of which the first `length` (B,) steps are real, or all. Raises UserError
        where there are more steps than positions."""
        vectors, length = self.front(example, length)
        entered = self.enter(vectors)
        if (steps := entered.shape[1]) > len(self.place):
            raise UserError(
                f"an example has {steps} steps, and the transformer has learned the positions of "
                f"{len(self.place)}, the most that its data had",
                hint="Shorten or divide it; rnn, lstm and cnn take examples of any length.",
            )
        embedded = entered + self.place[:steps]
        if length is None:
            encoded = self.layers(embedded)
            return self.head(encoded if self.of_steps else encoded.mean(dim=1))
        real = is_real(length, entered.shape[1])
        encoded = self.layers(embedded, src_key_padding_mask=~real)
        if self.of_steps:
            return self.head(encoded)
        return self.head(encoded.where(real[..., None], 0).sum(dim=1) / length[:, None])


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
        if self.task.shown:
            return attention_translation(
                self.facts,
                it.depth,
                width=it.width,
                heads=it.heads,
                feedforward=it.feedforward,
                dropout=it.dropout,
            )
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
        outputs = self.task.outputs
        if self.task.causal:
            return CausalEncoder(self._embedding(), self.facts.shape[0], layers, it.width, outputs)
        parts = self._patches() if self.facts.modality == "image" else self._steps()
        return Encoder(*parts, layers, it.width, outputs, of_steps=self.task.of_steps)

    def _embedding(self) -> nn.Module:
        """Return the embedding of tokens, or of vectors."""
        if self.facts.modality == "text":
            return nn.Embedding(self.facts.outputs, self.options.width)
        return nn.Linear(self.facts.shape[-1], self.options.width)

    def _steps(self) -> tuple[Front, nn.Module, int]:
        """Return the front of a sequence, the embedding of its steps, and their number."""
        it = self.options
        front = fronts.of(self.facts, it.width, it.log_mel, it.frames)
        is_embedded = isinstance(front, fronts.Embedded)
        enter = nn.Identity() if is_embedded else nn.Linear(front.size, self.options.width)
        return front, enter, front.steps(self.facts.shape[0])

    def _patches(self) -> tuple[Front, nn.Module, int]:
        """Return the same of an image."""
        patch, (channels, height, width) = self.options.patch, self.facts.shape
        positions = (height // patch) * (width // patch)
        return Front(channels), PatchEmbedding(channels, patch, self.options.width), positions
