"""Feed-forward network: x → W_n a(... a(W_1 x + b_1) ...) + b_n on the flattened example.

The workshop's network is the default, Flatten, 784-512, ReLU, 512-512, ReLU, 512-10, on 28x28
images of ten classes. Backpropagation: Rumelhart, Hinton and Williams, Nature 323 (1986).
"""

from __future__ import annotations

import math

from torch import nn

from hpc_dl.zoo.layers.dense import dense
from hpc_dl.zoo.supervised import Supervised


class FeedForward(Supervised):
    """Dense layers over flattened images, rows of a table, or sequences of one length."""

    def network(self) -> nn.Module:
        widths = [math.prod(self.facts.shape), *self.options.hidden, self.task.outputs]
        it = self.options
        more = self.option("norm", "none"), self.option("residual", False)
        layers = dense(widths, it.activation, it.dropout, *more)
        return nn.Sequential(nn.Flatten(), *layers)
