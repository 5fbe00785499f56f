"""What graphs are like, where that is easily a mistake: sentences for the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

UNREAD = ("edge_attr", "edge_weight", "pos")
"""What a graph of torch_geometric may have beside what is read of it."""


def of(graphs: Sequence[Any]) -> tuple[str, ...]:
    """Notes on graphs whose edges are in order."""
    said = {
        "no x: 1 is what is known of each node": sum(graph.x is None for graph in graphs),
        "edges that go one way alone (torch_geometric.utils.to_undirected adds the other)": sum(
            not both_ways(graph.edge_index, graph.num_nodes) for graph in graphs
        ),
        "nodes without an edge": sum(map(_alone, graphs)),
        **{f"{name}, which is not read": sum(name in it for it in graphs) for name in UNREAD},
    }
    if len(graphs) == 1:
        return tuple(f"the graph has {what}" for what, count in said.items() if count)
    return tuple(
        f"{count} of {len(graphs)} graphs have {it}" for it, count in said.items() if count
    )


def both_ways(edge: Tensor, nodes: int) -> bool:
    """Whether each edge (2, E) is there in both directions."""
    there, back = (torch.unique(one * nodes + other) for one, other in (edge, edge.flip(0)))
    return torch.equal(there, back)


def several(masks: Mapping[str, Tensor]) -> tuple[str, ...]:
    """A note on masks with a column for each of several divisions."""
    widths = {mask.shape[1] for mask in masks.values() if mask.ndim > 1}
    return tuple(f"of {width} divisions by masks the first is read" for width in sorted(widths))


def _alone(graph: Any) -> bool:
    return len(torch.unique(graph.edge_index)) < graph.num_nodes
