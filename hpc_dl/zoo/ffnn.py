"""Feed-forward network: x → W_n a(... a(W_1 x + b_1) ...) + b_n on the flattened image.

The workshop's network is the default, Flatten, 784-512, ReLU, 512-512, ReLU, 512-10, on 28x28
images of ten classes. Backpropagation: Rumelhart, Hinton and Williams, Nature 323 (1986).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn

from hpc_dl.zoo import objectives
from hpc_dl.zoo.contract import Architecture, Batch, Loss, Nets, Picture
from hpc_dl.zoo.layers import dense
from hpc_dl.zoo.pictures import grid


class FeedForward(Architecture):
    """Classifies images (B, C, H, W) through dense layers; the network returns logits."""

    def networks(self) -> dict[str, nn.Module]:
        widths = [math.prod(self.facts.shape), *self.options.hidden, len(self.facts.classes)]
        layers = dense(widths, self.options.activation, self.options.dropout)
        return {"model": nn.Sequential(nn.Flatten(), *layers)}

    def loss(self, nets: Nets, batch: Batch, player: str) -> Loss:
        return objectives.cross_entropy(nets["model"](batch["image"]), batch["label"])

    def measure(self, nets: Nets, batch: Batch) -> Mapping[str, Loss]:
        return objectives.classification(nets["model"](batch["image"]), batch["label"])

    headline = objectives.CLASSIFY_HEADLINE

    def artifacts(self, nets: Nets, sample: Batch) -> Mapping[str, Picture]:
        guess = nets["model"](sample["image"]).argmax(dim=1).tolist()
        names = self.facts.classes
        pairs = zip(guess, sample["label"].tolist(), strict=True)
        cells = [names[a] if a == b else f"{names[a]}, not {names[b]}" for a, b in pairs]
        return {"predictions": grid(sample["image"], 8, "What the network sees", cells=cells)}

    def predict(self, nets: Nets, batch: Batch) -> Mapping[str, Tensor]:
        probabilities = nets["model"](batch["image"]).softmax(dim=1)
        return {"probabilities": probabilities, "label": probabilities.argmax(dim=1)}
