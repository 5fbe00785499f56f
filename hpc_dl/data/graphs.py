"""Examples that are nodes of one graph, or graphs: what is shared by the examples of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from hpc_dl.data.split import Batch, Split, Tensors, bytes_of


class Graph:
    """One graph: `node`, (N, F) float, and `edge`, (2, E) int64; on each device once."""

    def __init__(self, node: Tensor, edge: Tensor) -> None:
        self._there = {node.device: {"node": node, "edge": edge}}

    def on(self, device: torch.device) -> Tensors:
        if device not in self._there:
            first = next(iter(self._there.values()))
            self._there[device] = {name: tensor.to(device) for name, tensor in first.items()}
        return self._there[device]


class NodeSplit(Split):
    """Some nodes of a graph, which is whole in each batch: `at`, (n,) int64, are their numbers.

    Of its size the graph is no part: that has to be on the device, whatever becomes of the nodes.
    """

    def __init__(self, graph: Graph, tensors: Tensors, index: Tensor | None = None) -> None:
        super().__init__(tensors, index)
        self.graph = graph

    def to(self, device: torch.device) -> NodeSplit:
        moved = super().to(device)
        return NodeSplit(self.graph, moved.tensors, moved.index)

    def subset(self, chosen: Tensor) -> NodeSplit:
        taken = super().subset(chosen)
        return NodeSplit(self.graph, taken.tensors, taken.index)

    def contents(self) -> dict[str, Iterable[Tensor]]:
        shared = self.graph.on(self.device)
        return {**{name: [tensor] for name, tensor in shared.items()}, **super().contents()}

    def rows(self, chosen: Tensor) -> Batch:
        return {**self.graph.on(self.device), **super().rows(chosen)}


class GraphSplit(Split):
    """Graphs, each a Data of torch_geometric; a batch of them is their disjoint union."""

    def __init__(
        self, graphs: Sequence[Any], tensors: Tensors, index: Tensor | None = None
    ) -> None:
        super().__init__(tensors, index)
        self.graphs = graphs

    def to(self, device: torch.device) -> GraphSplit:
        moved = super().to(device)
        return GraphSplit([graph.to(device) for graph in self.graphs], moved.tensors, moved.index)

    def subset(self, chosen: Tensor) -> GraphSplit:
        taken = super().subset(chosen)
        return GraphSplit(self._graphs(chosen), taken.tensors, taken.index)

    @property
    def size(self) -> int:
        return sum(sum(map(bytes_of, tensors)) for tensors in self.contents().values())

    def contents(self) -> dict[str, Iterable[Tensor]]:
        node, edge = zip(*((graph.x, graph.edge_index) for graph in self.graphs), strict=True)
        return {"node": node, "edge": edge, **super().contents()}

    def rows(self, chosen: Tensor) -> Batch:
        from torch_geometric.data import Batch as Union  # 2 s, for those who have graphs

        union = Union.from_data_list(self._graphs(chosen))
        return {
            "node": union.x,
            "edge": union.edge_index,
            "graph": union.batch,
            "at": torch.arange(len(chosen), device=self.device),
            **super().rows(chosen),
        }

    def _graphs(self, chosen: Tensor) -> list[Any]:
        return [self.graphs[position] for position in chosen.tolist()]
