"""Notes for the plan on what is easily a mistake in graphs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch

from hpc_dl.data.graphs.checks import Checked


def describe(graphs: Sequence[Checked]) -> tuple[str, ...]:
    """Note missing features, edges of one direction, repeated edges, isolated nodes, and what is
    not read."""
    unread = Counter(name for graph in graphs for name in graph.unread)
    counts = {
        "no x: each node has a 1 as its feature": sum(not it.has_features for it in graphs),
        "edges that go one way alone (torch_geometric.utils.to_undirected adds the other)": sum(
            not is_undirected(graph) for graph in graphs
        ),
        "edges that are there more than once (torch_geometric.utils.coalesce removes them)": sum(
            len(it.edge_keys.unique()) < it.edge.shape[1] for it in graphs
        ),
        "edges from a node to itself": sum(map(_has_loops, graphs)),
        "nodes without an edge": sum(map(_has_isolated_nodes, graphs)),
        **{f"{name}, which is not read": count for name, count in unread.items()},
    }
    if len(graphs) == 1:
        return tuple(f"the graph has {what}" for what, count in counts.items() if count)
    return tuple(
        f"{count} of {len(graphs)} graphs have {it}" for it, count in counts.items() if count
    )


def is_undirected(graph: Checked) -> bool:
    """Return whether each edge is there in both directions."""
    one, other = graph.edge
    back = torch.unique(other * len(graph.node) + one)
    return torch.equal(torch.unique(graph.edge_keys), back)


def _has_loops(graph: Checked) -> bool:
    return bool((graph.edge[0] == graph.edge[1]).any())


def _has_isolated_nodes(graph: Checked) -> bool:
    return len(torch.unique(graph.edge)) < len(graph.node)
