"""Graph neural networks: what a node is, h_v, follows from what it and its neighbours N(v) were.

gcn    h_v ← Σ_{u ∈ N(v) ∪ v} W h_u / sqrt(d_u d_v), where d is 1 + the number of neighbours
       (Kipf and Welling, arXiv:1609.02907)
gat    h_v ← Σ_{u ∈ N(v) ∪ v} α_vu W h_u, where α is a softmax over u of
       leaky_relu(a · [W h_v, W h_u]); several heads side by side (Veličković et al.,
       arXiv:1710.10903)
sage   h_v ← W_1 h_v + W_2 mean_{u ∈ N(v)} h_u (Hamilton, Ying and Leskovec, arXiv:1706.02216)
gin    h_v ← MLP(h_v + Σ_{u ∈ N(v)} h_u) (Xu et al., arXiv:1810.00826)

Nodes are judged by the last layer. A graph is judged by a dense layer on the mean, the sum or the
maximum over its nodes, and a batch of graphs is one graph whose parts are not connected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric import nn as geometric

from hpc_dl.tasks.pictures import graphs
from hpc_dl.zoo.contract import Batch, Nets, Picture
from hpc_dl.zoo.layers.dense import ACTIVATIONS, dense
from hpc_dl.zoo.supervised import Supervised

POOLINGS = {
    "mean": geometric.global_mean_pool,
    "sum": geometric.global_add_pool,
    "max": geometric.global_max_pool,
}


OF_ITSELF = ("gcn", "gat")
"""Layers in which a node is one of its own neighbours."""


def with_loops(edge: Tensor, nodes: int) -> Tensor:
    """Edges (2, E), and one from each of so many nodes to itself.

    Those that are there already go to a node more, of which nobody hears. To remove them would be
    to ask the device how many there are, which is why torch_geometric is not left to do so.
    """
    loops = torch.arange(nodes, device=edge.device).expand(2, -1)
    return torch.cat([edge.masked_fill(edge[0] == edge[1], nodes), loops], dim=1)


class GraphNetwork(nn.Module):
    """Graph layers, the last of which judges the nodes, or after them a dense one that judges
    graphs."""

    def __init__(self, features: int, outputs: int, options: Any, *, of_nodes: bool) -> None:
        super().__init__()
        self.options = options
        hidden, count = options.hidden, options.layers - 1 if of_nodes else options.layers
        widths = [features, *[hidden] * count]
        heads = options.heads
        self.body = nn.ModuleList(self._layer(width, hidden, heads) for width in widths[:-1])
        self.head = self._layer(widths[-1], outputs, 1) if of_nodes else nn.Linear(hidden, outputs)
        self.activation = ACTIVATIONS[options.activation]()
        self.pool = None if of_nodes else POOLINGS[options.pooling]

    def _layer(self, before: int, after: int, heads: int) -> nn.Module:
        it = self.options
        match it.layer:
            case "gcn":
                return geometric.GCNConv(before, after, add_self_loops=False)  # see `with_loops`
            case "gat":
                return geometric.GATConv(
                    before, after // heads, heads, dropout=it.dropout, add_self_loops=False
                )
            case "sage":
                return geometric.SAGEConv(before, after)
            case _:
                return geometric.GINConv(dense([before, it.hidden, after], it.activation))

    def embed(self, node: Tensor, edge: Tensor) -> Tensor:
        """The last hidden layer: (N, hidden), of nodes (N, F) and edges (2, E)."""
        if self.options.normalise:
            node = F.normalize(node, p=1)
        for layer in self.body:
            node = self.activation(self.hear(layer, self._drop(node), edge))
        return node

    def forward(
        self,
        node: Tensor,
        edge: Tensor,
        graph: Tensor | None = None,
        graphs: int | None = None,
    ) -> Tensor:
        """What is said of the nodes, (N, outputs), or of the graphs, to which `graph` (N,) says
        that they belong: (graphs, outputs).

        How many graphs there are need not be given, but a GPU is waited for to find out.
        """
        hidden = self._drop(self.embed(node, edge))
        if self.pool is None:
            return self.hear(self.head, hidden, edge)
        return self.head(self.pool(hidden, graph, graphs))

    def hear(self, layer: nn.Module, node: Tensor, edge: Tensor) -> Tensor:
        """What the nodes hear of their neighbours in a layer, and of themselves."""
        if self.options.layer not in OF_ITSELF:
            return layer(node, edge)
        return layer(F.pad(node, [0, 0, 0, 1]), with_loops(edge, len(node)))[:-1]

    def _drop(self, hidden: Tensor) -> Tensor:
        return F.dropout(hidden, self.options.dropout, self.training)


class GraphNeuralNetwork(Supervised):
    """The nodes of one graph, or many graphs, of which a batch is the disjoint union."""

    def network(self) -> nn.Module:
        (features,) = self.facts.shape
        of_nodes = self.task.of_nodes
        return GraphNetwork(features, self.facts.outputs, self.options, of_nodes=of_nodes)

    def inputs(self, sample: Batch) -> Batch:
        return {name: sample[name] for name in ("node", "edge", "graph") if name in sample}

    def outputs(self, nets: Nets, batch: Batch) -> Tensor:
        graphs = len(batch["graphs"]) if "graphs" in batch else None
        return nets["model"](**self.inputs(batch), graphs=graphs)[batch["at"]]

    def predict(self, nets: Nets, batch: Batch) -> Mapping[str, Tensor]:
        """Of all nodes, or all graphs."""
        return self.task.predict(nets["model"](**self.inputs(batch)))

    def artifacts(
        self, nets: Nets, sample: Batch, held_out: Iterable[Batch]
    ) -> Mapping[str, Picture]:
        """What the objective draws; and of nodes the graph, if it is small, and where the last
        hidden layer puts them."""
        judged = ((self.outputs(nets, batch), batch) for batch in held_out)
        if not self.task.of_nodes:
            return self.task.pictures(judged)
        every = list(judged)  # of one graph, which they share
        return {**self.task.pictures(every), **self._draw_nodes(nets, every)}

    def _draw_nodes(self, nets: Nets, judged: list[tuple[Tensor, Batch]]) -> Mapping[str, Picture]:
        network = nets["model"]
        assert isinstance(network, GraphNetwork)
        graph = judged[0][1]
        guess = self.predict(nets, graph)["label"]
        at = torch.cat([batch["at"] for _, batch in judged])
        label = torch.cat([batch["label"] for _, batch in judged])
        wrong = at[guess[at] != label]
        names, drawn = self.facts.classes, {}
        if len(guess) <= graphs.MOST_NODES:
            drawn["graph"] = graphs.network(graph["edge"], guess, wrong, names)
        hidden = network.embed(graph["node"], graph["edge"])[at]
        return drawn | {"embedding": graphs.plane(hidden, label, names)}
