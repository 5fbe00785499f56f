"""Long short-term memory (Hochreiter and Schmidhuber, Neural Computation 9 (1997)): with gates

    i, f, o = σ(W x(t) + U h(t-1) + b),   g = tanh(W' x(t) + U' h(t-1) + b'),

    c(t) = f c(t-1) + i g,   h(t) = o tanh(c(t));

or the smaller GRU (Cho et al., arXiv:1406.1078), with r, z = σ(W x(t) + U h(t-1) + b),

    h(t) = (1 - z) tanh(W' x(t) + r (U' h(t-1) + b')) + z h(t-1).
"""

from __future__ import annotations

from functools import partial

from torch import nn

from hpc_dl.zoo.layers import fronts
from hpc_dl.zoo.layers.recurrent import RecurrentLayers, RecurrentNetwork, language_model
from hpc_dl.zoo.layers.recurrent_translation import recurrent_translation
from hpc_dl.zoo.supervised import Supervised

CELLS: dict[str, type[nn.LSTM | nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class LongShortTermMemory(Supervised):
    """LSTM or GRU over sequences, rows of images, or tokens."""

    def network(self) -> nn.Module:
        it = self.options

        layer = partial(CELLS[it.cell], hidden_size=it.hidden)
        if self.task.shown:
            return recurrent_translation(
                self.facts, layer, it.layers, it.dropout, both_ways=it.bidirectional
            )
        if self.task.causal:
            drop = {"between": it.dropout, "last": it.dropout}
            return language_model(
                layer, it.layers, self.facts, self.task.outputs, width=it.hidden, **drop
            )
        front = fronts.of(self.facts, it.hidden, it.log_mel, it.frames, it.dropout)
        return RecurrentNetwork(
            front,
            RecurrentLayers(
                layer, it.layers, front.size, it.hidden, it.dropout, both_ways=it.bidirectional
            ),
            self.task.outputs,
            dropout=it.dropout,
            pooling=it.pooling,
            of_steps=self.task.of_steps,
        )
