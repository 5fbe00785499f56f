"""Graphs in a spring layout, and node embeddings in the plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from torch import Tensor

from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.pictures import figure, labels
from hpc_dl.tasks.pictures.charts import COLOURS

MARKS = "osD^vP*X"
"""With the colours they distinguish 64 classes."""
MOST_NODES = 500
"""Most nodes of a graph that is drawn."""


def network(edge: Tensor, predicted: Tensor, wrong: Tensor, names: Sequence[str]) -> Picture:
    """Draw a graph of edges (2, E) with the predicted class of each node (N,).

    `wrong` (n,) are the held-out nodes whose prediction is wrong.
    """
    import networkx

    graph = networkx.Graph()
    graph.add_nodes_from(range(len(predicted)))
    graph.add_edges_from(edge.T.tolist())
    places = networkx.spring_layout(graph, seed=0)
    place = np.array([places[node] for node in range(len(predicted))])
    drawing, axis = figure(5.4, 4.0)
    lines = [(place[start], place[end]) for start, end in graph.edges]
    axis.add_collection(LineCollection(lines, colors="0.75", linewidths=0.7, zorder=0))
    size = max(900 / max(len(predicted), 10), 6)
    _scatter(axis, place, predicted.cpu().numpy(), names, size)
    across, up = place[wrong.cpu().numpy()].T
    label = f"wrong ({len(wrong)})"
    axis.scatter(across, up, s=4 * size, facecolors="none", edgecolors="black", label=label)
    axis.set_axis_off()
    _legend(axis, "predicted")
    return Picture(drawing, "The graph, and the predicted classes of its nodes")


def plane(hidden: Tensor, label: Tensor, names: Sequence[str]) -> Picture:
    """Draw nodes with their class, `label` (n,), in the plane of the first two principal components
    of a hidden layer (n, H)."""
    centred = (hidden - hidden.mean(dim=0)).float().cpu()
    _, scale, axes = torch.linalg.svd(centred, full_matrices=False)
    explained = scale**2 / (scale**2).sum().clamp(min=1e-12)
    drawing, axis = figure(5.4, 4.0)
    _scatter(axis, (centred @ axes[:2].T).numpy(), label.cpu().numpy(), names, size=9)
    first, second = (
        f"principal component {number + 1}, {explained[number]:.0%} of the variance"
        for number in range(2)
    )
    axis.set_xlabel(first, fontsize=8)
    axis.set_ylabel(second, fontsize=8)
    axis.tick_params(labelsize=7)
    _legend(axis, "class")
    return Picture(drawing, "Nodes in the last hidden layer")


def _scatter(
    axis: Axes,
    place: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    label: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    names: Sequence[str],
    size: float,
) -> None:
    """Draw points (N, 2), with a colour and a mark for each class."""
    for number, name in enumerate(labels(names)):
        across, up = place[label == number].T
        axis.scatter(
            across,
            up,
            s=size,
            color=COLOURS[number % len(COLOURS)],
            marker=MARKS[(number + number // len(COLOURS)) % len(MARKS)],
            linewidths=0,
            label=name,
        )


def _legend(axis: Axes, title: str) -> None:
    axis.legend(
        title=title, fontsize=6, title_fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5)
    )
