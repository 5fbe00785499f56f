"""Checks of graphs that are to be predicted: nodes, the edges between them, graphs of a batch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hpc_dl.errors import UserError
from hpc_dl.predictor.arrays import Array


def check(arrays: Mapping[str, Array], *, undirected: bool = False) -> None:
    """Raise UserError for an edge to a node that is not there, a node without a graph, or a graph
    without nodes; and for an edge in one direction alone if the training graphs are `undirected`.
    """
    if "node" not in arrays:
        return
    nodes = len(arrays["node"])
    if "edge" in arrays:
        _check_numbers(arrays["edge"], "edge", nodes, "nodes")
    graphs = _check_membership(arrays["graph"], nodes) if "graph" in arrays else nodes
    if "edge" in arrays and "graph" in arrays:
        _check_within(arrays["edge"], arrays["graph"])
    if "edge" in arrays and undirected:
        _check_both_ways(arrays["edge"], nodes)
    if "at" in arrays:
        _check_numbers(arrays["at"], "at", graphs, "graphs" if "graph" in arrays else "nodes")


def _check_membership(graph: Array, nodes: int) -> int:
    """Check the graph of each node; return the number of graphs."""
    if len(graph) != nodes:
        raise UserError(f"graph is of {len(graph)} nodes, but node of {nodes}")
    if graph.min() < 0:
        raise UserError(f"graph has the number {graph.min()}, but graphs count from 0")
    there = np.unique(graph)
    absent = np.setdiff1d(np.arange(len(there)), there)
    if len(absent):
        raise UserError(
            f"graph {absent[0]} has no node, but {there[-1]} has",
            hint="Number the graphs from 0, without gaps.",
        )
    return len(there)


def _check_within(edge: Array, graph: Array) -> None:
    apart = (graph[edge[0]] != graph[edge[1]]).nonzero()[0]
    if apart.size:
        one, other = edge[:, apart[0]]
        raise UserError(
            f"there is an edge from node {one} to node {other}, which are of graphs {graph[one]} "
            f"and {graph[other]}",
            hint="Nodes are counted through all graphs: add to the edges of each how many nodes "
            "are before it.",
        )


def _check_both_ways(edge: Array, nodes: int) -> None:
    alone = np.setdiff1d(edge[0] * nodes + edge[1], edge[1] * nodes + edge[0])
    if alone.size:
        one, other = divmod(int(alone[0]), nodes)
        raise UserError(
            f"there is an edge from node {one} to node {other}, but none back; in the training all "
            "edges went both ways",
            hint="Add the others: numpy.hstack([edge, edge[::-1]]).",
        )


def _check_numbers(found: Array, name: str, count: int, what: str) -> None:
    if found.size and not 0 <= found.min() <= found.max() < count:
        wrong = found.min() if found.min() < 0 else found.max()
        raise UserError(
            f"{name} has the number {wrong}, but there are {count} {what}, which count from 0"
        )
