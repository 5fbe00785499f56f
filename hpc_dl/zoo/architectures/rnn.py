"""Recurrent network: each step of a sequence updates a state,

    h(t) = f(W x(t) + U h(t-1) + b),    f = tanh or ReLU,    h(0) = 0

(Elman, Cognitive Science 14 (1990)); the outputs are computed from the last state.
"""

from __future__ import annotations

from torch import nn

from hpc_dl.zoo.layers.recurrent import RecurrentLanguageModel, RecurrentNetwork, input_size
from hpc_dl.zoo.supervised import Supervised


class Recurrent(Supervised):
    """Recurrent network over sequences, rows of images, or tokens."""

    def network(self) -> nn.Module:
        it = self.options

        def layer(width: int) -> nn.RNNBase:
            return nn.RNN(width, it.hidden, nonlinearity=it.activation)

        if self.facts.modality == "text":
            return RecurrentLanguageModel(
                layer, it.layers, self.facts.outputs, width=it.hidden, between=0.0, last=it.dropout
            )
        return RecurrentNetwork(
            layer,
            it.layers,
            input_size(self.facts),
            self.facts.outputs,
            between=0.0,
            last=it.dropout,
        )
