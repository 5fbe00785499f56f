"""Graph neural networks: the state h_v of a node follows from its own and those of its neighbours
N(v).

gcn    h_v ← Σ_{u ∈ N(v) ∪ v} W h_u / sqrt(d_u d_v), where d is 1 + the number of neighbours
       (Kipf and Welling, arXiv:1609.02907)
gat    h_v ← Σ_{u ∈ N(v) ∪ v} α_vu W h_u, where α is a softmax over u of
       leaky_relu(a · [W h_v, W h_u]); several heads side by side (Veličković et al.,
       arXiv:1710.10903)
sage   h_v ← W_1 h_v + W_2 mean_{u ∈ N(v)} h_u (Hamilton, Ying and Leskovec, arXiv:1706.02216)
gin    h_v ← MLP(h_v + Σ_{u ∈ N(v)} h_u) (Xu et al., arXiv:1810.00826)

The last layer gives the outputs for nodes. Those for a graph are of a dense layer on the mean, the
sum or the maximum over its nodes; a batch of graphs is their disjoint union.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric import nn as geometric
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from hpc_dl.tasks.pictures import graphs
from hpc_dl.zoo.contract import Artifact, Batch, Nets, Picture
from hpc_dl.zoo.graphs import OfGraphs
from hpc_dl.zoo.layers.dense import ACTIVATIONS, dense, norm, shortcut

POOLINGS = {
    "mean": geometric.global_mean_pool,
    "sum": geometric.global_add_pool,
    "max": geometric.global_max_pool,
}
Links = tuple[Tensor, ...]
"""What a graph layer reads besides the nodes: edges, and for some their weights."""


def add_self_loops(edge: Tensor, nodes: int) -> Tensor:
    """Return edges (2, E) and one from each of so many nodes to itself.

    Self-loops that are there already are moved to an extra node, number `nodes`. Removing them, as
    torch_geometric does, would wait for the device to count them.
    """
    return torch.cat([edge.masked_fill(edge[0] == edge[1], nodes), _loops(edge, nodes)], dim=1)


def add_weighted_self_loops(edge: Tensor, nodes: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the same, (2, E + nodes), with the weights 1 / sqrt(d_u d_v), (E + nodes,), of a GCN;
    self-loops that are there already stay, and weigh 0."""
    others = torch.ones(nodes, dtype=dtype, device=edge.device)
    weight = torch.cat([(edge[0] != edge[1]).to(dtype), others])
    looped = torch.cat([edge, _loops(edge, nodes)], dim=1)
    return gcn_norm(looped, weight, nodes, add_self_loops=False, dtype=dtype)


def _loops(edge: Tensor, nodes: int) -> Tensor:
    return torch.arange(nodes, device=edge.device).expand(2, -1)


def divided_by_sum(node: Tensor) -> Tensor:
    """Return nodes (N, F) with the features of each divided by the sum of their absolute values."""
    return F.normalize(node, p=1)


@functools.lru_cache(maxsize=1)
def _divided_once(node: Tensor, _version: int) -> Tensor:
    """Return the same; it is kept for as long as this very tensor is asked for, unchanged."""
    return divided_by_sum(node)


class GraphNetwork(nn.Module):
    """Graph layers; the last one gives the outputs for nodes, a dense one after them those for
    graphs."""

    def __init__(
        self,
        features: int,
        outputs: int,
        options: Any,
        *,
        of_nodes: bool,
        normalise: str = "none",
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.options = options
        hidden, count = options.hidden, options.layers - 1 if of_nodes else options.layers
        widths = [features, *[hidden] * count]
        heads = options.heads
        self.body = nn.ModuleList(self._layer(width, hidden, heads) for width in widths[:-1])
        self.norms = nn.ModuleList(
            nn.Identity() if normalise == "none" else norm(normalise, hidden) for _ in self.body
        )
        self.shortcuts = nn.ModuleList(shortcut(width, hidden) for width in widths[:-1] if residual)
        self.head = self._layer(widths[-1], outputs, 1) if of_nodes else nn.Linear(hidden, outputs)
        self.activation = ACTIVATIONS[options.activation]()
        self.pool = None if of_nodes else POOLINGS[options.pooling]

    def _layer(self, before: int, after: int, heads: int) -> nn.Module:
        it = self.options
        match it.layer:
            case "gcn":
                return geometric.GCNConv(before, after, normalize=False)  # see `links`
            case "gat":
                return geometric.GATConv(
                    before, after // heads, heads, dropout=it.dropout, add_self_loops=False
                )
            case "sage":
                return geometric.SAGEConv(before, after)
            case _:
                return geometric.GINConv(dense([before, it.hidden, after], it.activation))

    def links(self, node: Tensor, edge: Tensor) -> Links:
        """Return what all layers read of the edges (2, E) of nodes (N, F), to be computed once."""
        match self.options.layer:
            case "gcn":
                return add_weighted_self_loops(edge, len(node), node.dtype)
            case "gat":
                return (add_self_loops(edge, len(node)),)
            case _:
                return (edge,)

    def embed(self, node: Tensor, links: Links) -> Tensor:
        """Return the last hidden layer (N, hidden) for nodes (N, F)."""
        if self.options.normalise:
            node = self._divided(node)
        for number, layer in enumerate(self.body):
            given = self._drop(node)
            node = self.activation(self.norms[number](self.convolve(layer, given, links)))
            if self.shortcuts:
                node = node + self.shortcuts[number](given)
        return node

    def forward(
        self,
        node: Tensor,
        edge: Tensor,
        graph: Tensor | None = None,
        graphs: int | None = None,
    ) -> Tensor:
        """Return outputs for the nodes, (N, outputs), or for the graphs, (graphs, outputs).

        `graph` (N,) is the graph of each node. Without their number `graphs` the device is waited
        for to count them.
        """
        links = self.links(node, edge)
        hidden = self._drop(self.embed(node, links))
        if self.pool is None:
            return self.convolve(self.head, hidden, links)
        return self.head(self.pool(hidden, graph, graphs))

    def _divided(self, node: Tensor) -> Tensor:
        """Return `divided_by_sum`: once for the one graph that all training steps read.

        Not on a GPU, where it is quick, and a CUDA graph would go on reading what was kept.
        """
        if self.training and self.pool is None and not (node.is_cuda or node.requires_grad):
            return _divided_once(node, node._version)  # which counts changes in place
        return divided_by_sum(node)

    def convolve(self, layer: nn.Module, node: Tensor, links: Links) -> Tensor:
        """Apply a graph layer; for a GAT there is an extra node, see `add_self_loops`."""
        if self.options.layer == "gat":
            return layer(F.pad(node, [0, 0, 0, 1]), *links)[:-1]
        return layer(node, *links)

    def _drop(self, hidden: Tensor) -> Tensor:
        return F.dropout(hidden, self.options.dropout, self.training)


class GraphNeuralNetwork(OfGraphs):
    """Outputs for the nodes of one graph, or for many graphs."""

    def network(self) -> nn.Module:
        (features,) = self.facts.shape
        return GraphNetwork(
            features,
            self.facts.outputs,
            self.options,
            of_nodes=self.task.of_nodes,
            normalise=self.option("norm", "none"),
            residual=self.option("residual", False),
        )

    def artifacts(
        self, nets: Nets, sample: Batch, held_out: Iterable[Batch]
    ) -> Mapping[str, Artifact]:
        """Draw the task's pictures; of nodes also the graph, if it is small, and the embedding."""
        outputs = ((self.outputs(nets, batch), batch) for batch in held_out)
        if not self.task.of_nodes:
            return self.task.pictures(outputs)
        every = list(outputs)  # of one graph, which they share
        return {**self.task.pictures(every), **self._draw_nodes(nets, every)}

    def _draw_nodes(self, nets: Nets, every: list[tuple[Tensor, Batch]]) -> Mapping[str, Picture]:
        network = nets["model"]
        assert isinstance(network, GraphNetwork)
        graph = every[0][1]
        predicted = self.predict(nets, graph)["label"]
        at = torch.cat([batch["at"] for _, batch in every])
        label = torch.cat([batch["label"] for _, batch in every])
        wrong = at[predicted[at] != label]
        names, drawn = self.facts.classes, {}
        if len(predicted) <= graphs.MOST_NODES:
            drawn["graph"] = graphs.network(graph["edge"], predicted, wrong, names)
        hidden = network.embed(graph["node"], network.links(graph["node"], graph["edge"]))[at]
        return drawn | {"embedding": graphs.plane(hidden, label, names)}
