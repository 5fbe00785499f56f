"""Graphs in a spring layout, and node embeddings in the plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from torch import Tensor

from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.pictures import figure
from hpc_dl.tasks.pictures.plane import principal, scatter_classes

MOST_NODES = 500
"""Most nodes of a graph that is drawn."""


def network(edge: Tensor, predicted: Tensor, wrong: Tensor, names: Sequence[str]) -> Picture:
    """Draw a graph of edges (2, E) with the predicted class of each node (N,).

    `wrong` (n,) are the held-out nodes whose prediction is wrong.
    """
    drawing, axis = figure(5.4, 4.0)
    place, size = draw_edges(axis, edge, len(predicted))
    across, up = place[wrong.cpu()].T
    label = f"wrong ({len(wrong)})"
    axis.scatter(across, up, s=4 * size, facecolors="none", edgecolors="black", label=label)
    scatter_classes(axis, place, predicted.cpu(), names, "predicted", size)
    return Picture(drawing, "The graph, and the predicted classes of its nodes")


def draw_edges(axis: Axes, edge: Tensor, nodes: int) -> tuple[Tensor, float]:
    """Draw edges (2, E) in a spring layout; return the places of the nodes, (N, 2), and a size for
    their marks."""
    import networkx

    graph = networkx.Graph()
    graph.add_nodes_from(range(nodes))
    graph.add_edges_from(edge.T.tolist())
    places = networkx.spring_layout(graph, seed=0)
    place = np.array([places[node] for node in range(nodes)])
    lines = [(place[start], place[end]) for start, end in graph.edges]
    axis.add_collection(LineCollection(lines, colors="0.75", linewidths=0.7, zorder=0))
    axis.set_axis_off()
    return torch.from_numpy(place), max(900 / max(nodes, 10), 6)


def plane(hidden: Tensor, label: Tensor, names: Sequence[str]) -> Picture:
    """Draw nodes with their class, `label` (n,), in the plane of the first two principal components
    of a hidden layer (n, H)."""
    finite = hidden.isfinite().all(dim=1)
    points, explained = principal(hidden[finite].float().cpu())
    drawing, axis = figure(5.4, 4.0)
    scatter_classes(axis, points, label[finite].cpu(), names, "class", size=9)
    first, second = (
        f"principal component {number + 1}, {explained[number]:.0%} of the variance"
        for number in range(2)
    )
    axis.set_xlabel(first, fontsize=8)
    axis.set_ylabel(second, fontsize=8)
    axis.tick_params(labelsize=7)
    return Picture(drawing, "Nodes in the last hidden layer")
