"""Splits of nodes of one graph, and of graphs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from hpc_dl.data.dataset import Batch, Split, Tensors, bytes_of, to_device
from hpc_dl.data.graphs.checks import Checked


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
    """Some nodes of a graph, all of which is in each batch: `at`, (n,) int64, are their numbers.

    The graph does not count to its size: it has to be on the device in any case.
    """

    def __init__(self, graph: Graph, tensors: Tensors, index: Tensor | None = None) -> None:
        super().__init__(tensors, index)
        self.graph = graph

    def to(self, device: torch.device) -> NodeSplit:
        moved = super().to(device)
        self.graph.on(device)  # now, and not in the first step
        return NodeSplit(self.graph, moved.tensors, moved.index)

    def subset(self, chosen: Tensor) -> NodeSplit:
        taken = super().subset(chosen)
        return NodeSplit(self.graph, taken.tensors, taken.index)

    def all_tensors(self) -> dict[str, Iterable[Tensor]]:
        shared = self.graph.on(self.device)
        return {**{name: [tensor] for name, tensor in shared.items()}, **super().all_tensors()}

    def rows(self, chosen: Tensor) -> Batch:
        return {**self.graph.on(self.device), **super().rows(chosen)}


@dataclass(frozen=True)
class Ragged:
    """Tensors of different lengths as one, (all, ...), and their lengths, (n,) int64."""

    values: Tensor
    lengths: Tensor

    @classmethod
    def of(cls, parts: Sequence[Tensor]) -> Ragged:
        return cls(torch.cat(list(parts)), torch.tensor([len(part) for part in parts]))

    @cached_property
    def starts(self) -> Tensor:
        """Where each tensor begins, (n,): of all tensors, and so not for each batch anew."""
        return starts(self.lengths)

    def rows(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """The rows of the chosen tensors (m,), and for each row of which of the m it is."""
        lengths = self.lengths[chosen]
        part = torch.repeat_interleave(lengths)
        moved = self.starts[chosen] - starts(lengths)
        return torch.arange(len(part)) + moved[part], part

    def subset(self, chosen: Tensor) -> Ragged:
        return Ragged(self.values[self.rows(chosen)[0]], self.lengths[chosen])


def starts(lengths: Tensor) -> Tensor:
    """Return the offsets of parts with these lengths."""
    return lengths.cumsum(0) - lengths


class GraphSplit(Split):
    """Graphs; a batch of them is their disjoint union.

    Features and labels may be on a GPU. Edges and sizes stay in main memory:
    on these depends how many nodes a batch has, which the GPU would have to be asked for.
    """

    def __init__(
        self, nodes: Ragged, edges: Ragged, tensors: Tensors, index: Tensor | None = None
    ) -> None:
        super().__init__(tensors, index)
        self.nodes, self.edges = nodes, edges

    @classmethod
    def of(cls, graphs: Sequence[Checked], tensors: Tensors) -> GraphSplit:
        """A split of these graphs."""
        nodes = Ragged.of([graph.node for graph in graphs])
        return cls(nodes, Ragged.of([graph.edge.t() for graph in graphs]), tensors)

    def to(self, device: torch.device) -> GraphSplit:
        nodes = Ragged(self.nodes.values.to(device), self.nodes.lengths)
        moved = {name: tensor.to(device) for name, tensor in self.tensors.items()}
        return GraphSplit(nodes, self.edges, moved, self.index)

    def subset(self, chosen: Tensor) -> GraphSplit:
        taken = super().subset(chosen)
        nodes, edges = self.nodes.subset(chosen), self.edges.subset(chosen)
        return GraphSplit(nodes, edges, taken.tensors, taken.index)

    @property
    def size(self) -> int:
        return sum(sum(map(bytes_of, tensors)) for tensors in self.all_tensors().values())

    def all_tensors(self) -> dict[str, Iterable[Tensor]]:
        sizes = [self.nodes.lengths, self.edges.lengths]
        values = {"node": [self.nodes.values], "edge": [self.edges.values], "sizes": sizes}
        return {**values, **super().all_tensors()}

    def rows(self, chosen: Tensor) -> Batch:
        device, chosen = self.nodes.values.device, chosen.cpu()
        there, number = to_device(chosen, device), torch.arange(len(chosen), device=device)
        rows, graph = self.nodes.rows(chosen)
        return {
            "node": self.nodes.values.index_select(0, to_device(rows, device)),
            "edge": to_device(self._edges(chosen), device),
            "graph": to_device(graph, device),
            "graphs": number,
            "at": number,
            **{name: it.index_select(0, there) for name, it in self.tensors.items()},
            "index": to_device(self.index[chosen], device),
        }

    def _edges(self, chosen: Tensor) -> Tensor:
        """(2, E) int64, from node to node of the union."""
        rows, graph = self.edges.rows(chosen)
        first = starts(self.nodes.lengths[chosen])
        return (self.edges.values[rows] + first[graph][:, None]).t().contiguous()
