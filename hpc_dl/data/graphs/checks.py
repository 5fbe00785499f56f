"""One graph of torch_geometric, checked: the features of its nodes, and its edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hpc_dl.data import precision, validation
from hpc_dl.data.faults import reading
from hpc_dl.data.user_functions.returned import kind_of
from hpc_dl.data.user_functions.tensors import to_array, to_tensor
from hpc_dl.errors import UserError

READ = (
    "x", "edge_index", "adj_t", "y", "num_nodes", "batch", "ptr",
    "train_mask", "val_mask", "test_mask",
)  # fmt: skip
"""Attributes that are read, or follow from others."""
_NO_EDGES = "Of a graph without edges: torch.empty(2, 0, dtype=torch.long)."
_OF_MATRIX = """Of a matrix, by a function of torch_geometric.utils:
edge_index, _ = dense_to_sparse(adj), or to_edge_index(adj) of a sparse tensor, or
from_scipy_sparse_matrix(adj)."""
_OF_NAMES = """Nodes count from 0, in the order of the rows of x. Of other numbers or names:
names, edge_index = numpy.unique(edge_index, return_inverse=True), and x in the order of names."""


@dataclass(frozen=True)
class Checked:
    """Features (N, F) float and edges (2, E) int64 of a graph."""

    node: Tensor
    edge: Tensor
    has_features: bool = True
    unread: tuple[str, ...] = ()
    """Names of its attributes that are not read."""

    @property
    def edge_keys(self) -> Tensor:
        """A number for each edge, (E,), the same for the same two nodes."""
        return self.edge[0] * len(self.node) + self.edge[1]


def check(graph: Any, where: str) -> Checked:
    """Return a checked graph. Raises UserError, beginning with `where`, for a wrong one."""
    if "edge_label" in graph:
        raise UserError(
            f"{where} has edge_label: edges are not predicted, but nodes and graphs",
            hint="To classify its nodes, divide them by RandomNodeSplit, not by RandomLinkSplit.",
        )
    count = count_nodes(graph, where)
    edge = _edges(graph, count, where)
    node = _features(graph, count, where)
    has_features = node is not None
    unread = tuple(key for key in graph.keys() if key not in READ)  # noqa: SIM118  no mapping
    return Checked(torch.ones(count, 1) if node is None else node, edge, has_features, unread)


def count_nodes(graph: Any, where: str) -> int:
    """Return the number of nodes. Raises UserError where there is none, or it is not known."""
    with reading("data.name", where, "graph"):
        count = int(graph.num_nodes or 0)
    if count < 1:
        raise UserError(f"{where} has no node", hint="Give it x, or num_nodes.")
    return count


def _features(graph: Any, count: int, where: str) -> Tensor | None:
    """Return the features of the nodes, (N, F) float; None without any."""
    if "x" not in graph or graph.x is None:
        return None
    x = to_tensor(graph.x, f"{where}: x")
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or len(x) != count:
        raise UserError(
            f"{where}: x is {tuple(x.shape)}, but has to be ({count} nodes, features)",
            hint="Make one row of each node: torch.as_tensor(x).flatten(1)." if x.ndim > 2 else "",
        )
    if not x.shape[1]:
        return None
    return precision.to_float32(validation.check_numbers(x, f"{where}: x"), f"{where}: x")


def _edges(graph: Any, count: int, where: str) -> Tensor:
    """Return the edges (2, E) int64, from `adj_t` where there is no `edge_index`."""
    if "edge_index" in graph and graph.edge_index is not None:
        _refuse_names(graph.edge_index, f"{where}: edge_index")
        edge = to_tensor(graph.edge_index, f"{where}: edge_index")
    elif "adj_t" in graph and graph.adj_t is not None:
        edge = _of_adjacency(graph.adj_t, count, where)
    else:
        raise UserError(f"{where} has no edge_index", hint=f"{_NO_EDGES} {_OF_MATRIX}")
    _check_edges(edge, count, f"{where}: edge_index")
    return edge.long()


def _refuse_names(edge: Any, where: str) -> None:
    """Raise UserError for edges between names of nodes."""
    if not isinstance(edge, Tensor) and to_array(edge, where).dtype.kind in "OSU":
        raise UserError(f"{where} has names of nodes, but has to be their numbers", hint=_OF_NAMES)


def _of_adjacency(adj_t: Any, count: int, where: str) -> Tensor:
    """Return edges, from node to node, of a transposed adjacency matrix."""
    from torch_geometric.utils import is_sparse, to_edge_index

    if not is_sparse(adj_t):
        raise UserError(
            f"{where}: adj_t is {kind_of(adj_t)}, but has to be a sparse tensor",
            hint=f"Give edge_index in its place. {_OF_MATRIX}",
        )
    if (shape := (adj_t.size(0), adj_t.size(1))) != (count, count):
        raise UserError(f"{where}: adj_t is {shape}, but there are {count} nodes")
    with reading("data.name", f"{where}: adj_t", "sparse matrix"):
        edge, _ = to_edge_index(adj_t)
    turned: Tensor = edge.flip(0)
    return turned


def _check_edges(edge: Tensor, count: int, where: str) -> None:
    """Raise UserError for what is not (2, E) integers, or not between so many nodes."""
    if edge.ndim != 2 or len(edge) != 2:
        raise UserError(
            f"{where} is {tuple(edge.shape)}, but has to be (2, edges)",
            hint=_way_to_edges(tuple(edge.shape), count),
        )
    if not edge.numel():
        return
    if edge.is_floating_point() or edge.dtype == torch.bool:
        raise UserError(
            f"{where} is {edge.dtype}, but has to be integers",
            hint="Numbers of nodes: torch.as_tensor(edge_index).long().",
        )
    edge = edge.long()
    low, high, outside = int(edge.min()), int(edge.max()), (edge < 0) | (edge >= count)
    if wrong := int(outside.any(0).sum()):
        from_one = low == 1 and high == count
        raise UserError(
            f"{where}: {wrong} of {edge.shape[1]} edges are not between nodes 0 to {count - 1}, "
            f"like one of node {int(edge[outside][0])}",
            hint="Nodes count from 0: edge_index - 1." if from_one else _OF_NAMES,
        )


def _way_to_edges(shape: tuple[int, ...], count: int) -> str:
    """Return how to make edges of something of another shape."""
    if shape == (count, count):
        return _OF_MATRIX
    if len(shape) == 2 and shape[1] == 2:
        return "Turn it: torch.as_tensor(edge_index).t()."
    return "" if all(shape) else _NO_EDGES
