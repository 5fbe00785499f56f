"""Graphs: the graph, or some of many, and the degrees of nodes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hpc_dl.data.dataset import Splits
from hpc_dl.data.graphs.splits import GraphSplit, NodeSplit, starts
from hpc_dl.data.show.bars import draw_histogram
from hpc_dl.data.show.panels import Panel
from hpc_dl.data.show.samples import sample
from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.tasks.pictures.names import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NODES = 300
"""Of a larger graph, the neighbourhood of a node is drawn."""
MOST_GRAPHS = 6


def panels(splits: Splits, options: Data) -> list[Panel]:
    """Return the graph of the nodes, or some of the graphs, and histograms of their sizes."""
    train = splits.train
    if isinstance(train, NodeSplit):
        return _of_one(splits, options.split_seed)
    assert isinstance(train, GraphSplit)
    chosen = sample(len(train), MOST_GRAPHS, options.split_seed)
    drawn = [_one_of_many(train, position, splits.facts) for position in chosen.tolist()]
    halves = 2 if splits.facts.undirected else 1  # each edge is there in both directions
    sizes = {"Nodes": train.nodes.lengths, "Edges": train.edges.lengths // halves}
    histograms = [_histogram(f"{name} of a graph", it) for name, it in sizes.items()]
    first = starts(train.nodes.lengths).repeat_interleave(train.edges.lengths)
    ends = train.edges.values[:, 0] + first
    return [*drawn, *histograms, *_degrees(ends, len(train.nodes.values))]


def _of_one(splits: Splits, seed: int) -> list[Panel]:
    train = splits.train
    assert isinstance(train, NodeSplit)
    shared = train.graph.on(torch.device("cpu"))
    nodes, edge = len(shared["node"]), shared["edge"]
    number = torch.full((nodes,), -1)
    for split in (splits.train, splits.validation, splits.test):
        if len(split):
            number[split.tensors["at"]] = split.tensors["label"]
    start = int(train.tensors["at"][sample(len(train), 1, seed)])
    kept = neighbourhood(edge, nodes, start, MOST_NODES)
    title = f"The graph of {nodes:,} nodes"
    if len(kept) < nodes:
        title = f"{len(kept)} nodes around node {start}, of {nodes:,}"
    draw = partial(
        _draw, edge=induced(edge, kept, nodes), label=number[kept], names=splits.facts.classes
    )
    return [Panel(title, draw, 2, 4.4), *_degrees(edge[0], nodes)]


def _one_of_many(train: GraphSplit, position: int, facts: DataFacts) -> Panel:
    batch = train.batch(torch.tensor([position]))
    nodes, title = len(batch["node"]), f"graph {position}"
    if facts.classes:
        title += f": {label(facts.classes[int(batch['label'])])}"
    if facts.target_names:
        title += f": {label(facts.target_names[0])} {float(batch['target'][0, 0]):.4g}"
    kept = neighbourhood(batch["edge"], nodes, 0, MOST_NODES)
    if len(kept) < nodes:
        title += f" ({len(kept)} of {nodes:,} nodes)"
    edge = induced(batch["edge"], kept, nodes)
    draw = partial(_draw, edge=edge, label=torch.zeros(len(kept), dtype=torch.int64), names=())
    return Panel(title, draw)


def neighbourhood(edge: Tensor, nodes: int, start: int, most: int) -> Tensor:
    """Return up to `most` nodes, sorted: those next to `start` along edges (2, E), then others."""
    if nodes <= most:
        return torch.arange(nodes)
    order, is_in = [torch.tensor([start])], torch.zeros(nodes, dtype=torch.bool)
    is_in[start] = True
    while len(order[-1]) and sum(map(len, order)) < most:
        next_to = torch.cat([edge[1][is_in[edge[0]]], edge[0][is_in[edge[1]]]]).unique()
        order.append(next_to[~is_in[next_to]])
        is_in[next_to] = True
    order.append((~is_in).nonzero()[:, 0])
    return torch.cat(order)[:most].sort().values


def induced(edge: Tensor, kept: Tensor, nodes: int) -> Tensor:
    """Return the edges (2, E) between the nodes `kept`, renumbered."""
    number = torch.full((nodes,), -1)
    number[kept] = torch.arange(len(kept))
    renumbered = number[edge]
    return renumbered[:, (renumbered >= 0).all(dim=0)]


def _draw(axis: Axes, edge: Tensor, label: Tensor, names: tuple[str, ...]) -> None:
    """Draw nodes, those with a class in its colour."""
    from hpc_dl.tasks.pictures.graphs import draw_edges
    from hpc_dl.tasks.pictures.plane import scatter_classes

    place, size = draw_edges(axis, edge, len(label))
    without = place[label < 0] if names else place
    axis.scatter(without[:, 0], without[:, 1], s=size, color="0.6", linewidths=0)
    if names:
        scatter_classes(axis, place, label, names, "class", size)


def _degrees(ends: Tensor, nodes: int) -> list[Panel]:
    """Return the histogram of the degrees of nodes, from one end of each edge."""
    degrees = {"degree": torch.bincount(ends, minlength=nodes)}
    draw = partial(draw_histogram, values=degrees, counted="nodes", log=True)
    return [Panel("Degrees of nodes", draw)]


def _histogram(title: str, values: Tensor) -> Panel:
    return Panel(title, partial(draw_histogram, values={title: values}, counted="graphs"))
