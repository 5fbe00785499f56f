"""Recurrent network: a state that each step of a sequence changes,

    h(t) = f(W x(t) + U h(t-1) + b),    f = tanh or ReLU,    h(0) = 0

(Elman, Cognitive Science 14 (1990)); what is said of the sequence follows from its last state.
"""

from __future__ import annotations

from torch import nn

from hpc_dl.zoo.layers.recurrent import Reader, TokenReader, features
from hpc_dl.zoo.supervised import Supervised


class Recurrent(Supervised):
    """Reads sequences, or images row by row."""

    def network(self) -> nn.Module:
        it = self.options

        def layer(width: int) -> nn.RNNBase:
            return nn.RNN(width, it.hidden, nonlinearity=it.activation)

        if self.facts.modality == "text":
            return TokenReader(
                layer, it.layers, self.facts.outputs, width=it.hidden, between=0.0, last=it.dropout
            )
        return Reader(
            layer,
            it.layers,
            features(self.facts),
            self.facts.outputs,
            between=0.0,
            last=it.dropout,
        )
