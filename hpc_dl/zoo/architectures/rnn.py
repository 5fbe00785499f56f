"""Recurrent network: each step of a sequence updates a state,

    h(t) = f(W x(t) + U h(t-1) + b),    f = tanh or ReLU,    h(0) = 0

(Elman, Cognitive Science 14 (1990)); the outputs are computed from the last state.
"""

from __future__ import annotations

from torch import nn

from hpc_dl.zoo.layers import fronts
from hpc_dl.zoo.layers.recurrent import RecurrentLayers, RecurrentNetwork, language_model
from hpc_dl.zoo.layers.recurrent_translation import recurrent_translation
from hpc_dl.zoo.supervised import Supervised


class Recurrent(Supervised):
    """Recurrent network over sequences, rows of images, or tokens."""

    def network(self) -> nn.Module:
        it = self.options

        def layer(width: int) -> nn.RNNBase:
            return nn.RNN(width, it.hidden, nonlinearity=it.activation)

        if self.task.shown:
            return recurrent_translation(self.facts, layer, it.layers, it.dropout, both_ways=False)
        if self.task.causal:
            return language_model(
                layer,
                it.layers,
                self.facts,
                self.task.outputs,
                width=it.hidden,
                between=0.0,
                last=it.dropout,
            )
        front = fronts.of(self.facts, it.hidden, it.log_mel, it.frames)
        return RecurrentNetwork(
            front,
            RecurrentLayers(layer, it.layers, front.size, it.hidden, 0.0, both_ways=False),
            self.task.outputs,
            dropout=it.dropout,
            pooling=it.pooling,
            of_steps=self.task.of_steps,
        )
