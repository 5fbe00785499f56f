"""Notes for the plan on what is easily a mistake in graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

UNREAD = ("edge_attr", "edge_weight", "pos")
"""Attributes of a torch_geometric graph that are not read."""


def describe(graphs: Sequence[Any]) -> tuple[str, ...]:
    """Note missing features, edges of one direction, isolated nodes, and what is not read."""
    counts = {
        "no x: each node has a 1 as its feature": sum(graph.x is None for graph in graphs),
        "edges that go one way alone (torch_geometric.utils.to_undirected adds the other)": sum(
            not is_undirected(graph.edge_index, graph.num_nodes) for graph in graphs
        ),
        "nodes without an edge": sum(map(_has_isolated_nodes, graphs)),
        **{f"{name}, which is not read": sum(name in it for it in graphs) for name in UNREAD},
    }
    if len(graphs) == 1:
        return tuple(f"the graph has {what}" for what, count in counts.items() if count)
    return tuple(
        f"{count} of {len(graphs)} graphs have {it}" for it, count in counts.items() if count
    )


def is_undirected(edge: Tensor, nodes: int) -> bool:
    """Return whether each edge (2, E) is there in both directions."""
    there, back = (torch.unique(one * nodes + other) for one, other in (edge, edge.flip(0)))
    return torch.equal(there, back)


def note_several_masks(masks: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Note masks with a column for each of several divisions."""
    widths = {mask.shape[1] for mask in masks.values() if mask.ndim > 1}
    return tuple(f"of {width} divisions by masks the first is read" for width in sorted(widths))


def _has_isolated_nodes(graph: Any) -> bool:
    return len(torch.unique(graph.edge_index)) < graph.num_nodes
