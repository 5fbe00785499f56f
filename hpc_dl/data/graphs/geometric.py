"""Examples from torch_geometric's graphs: the nodes of one, or many, with a class or targets.

A node has features, or else a 1; weights and attributes of edges are not read. Where a graph
has several masks for a split, the first counts. `graph_notes` says so in the plan.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from hpc_dl.data import precision, validation
from hpc_dl.data.counts import Holdout, split_facts
from hpc_dl.data.dataset import Split, Tensors
from hpc_dl.data.graphs import notes as graph_notes
from hpc_dl.data.graphs.splits import Graph, GraphSplit, NodeSplit
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import DataFacts

Given = tuple[DataFacts, Mapping[str, Split]]

_DEFAULT = Holdout()
_MASKS = {"train": "train_mask", "validation": "val_mask", "test": "test_mask"}


def from_graphs(given: Any, where: str, holdout: Holdout) -> Given:
    """Return the examples of a Data, whose nodes they are, of several, or of several by split.

    A data set of one graph, with a label for each of its nodes, is that graph.
    """
    from torch_geometric.data import Data

    if isinstance(given, Data):
        return from_nodes(given, where, holdout)
    by_name = given if isinstance(given, Mapping) else {"train": given}
    validation.refuse_unknown_names(by_name, tuple(_MASKS), where)
    splits = {name: list(graphs) for name, graphs in by_name.items()}
    if any(not isinstance(it, Data) for graphs in splits.values() for it in graphs):
        raise UserError(f"{where}: its graphs have to be torch_geometric's Data")
    first = splits["train"][0] if splits.get("train") else None
    if first is None:
        raise UserError(f"{where}: there is no graph to train on")
    if len(splits["train"]) == 1 and len(splits) == 1 and _is_labelled_by_node(first):
        return from_nodes(first, where, holdout)
    return from_many_graphs(splits, where, holdout)


def is_graph(given: Any) -> bool:
    """Return whether a user's source gives graphs: a Data, several, or several by split."""
    if "torch_geometric" not in sys.modules:  # whose import takes 2 s
        return False
    from torch_geometric.data import Data, Dataset

    if isinstance(given, Mapping):
        return is_graph(given.get("train"))
    several = isinstance(given, Sequence) and len(given) > 0
    return isinstance(given[0] if several else given, Data | Dataset)


def from_nodes(graph: Any, where: str, holdout: Holdout = _DEFAULT) -> Given:
    """Return the labelled nodes of one graph, divided by its masks, where it has them."""
    label, (node, edge) = _label_of_nodes(graph, where), _check_graph(graph, where)
    known = label >= 0
    masks = {name: graph[mask] for name, mask in _MASKS.items() if mask in graph}
    chosen = _chosen(masks, known, where)
    shared, given = Graph(node, edge), {}
    for name, at in chosen.items():
        given[name] = NodeSplit(shared, {"at": at, "label": label[at]})
    classes = tuple(map(str, range(int(label.max()) + 1)))
    splits = split_facts({name: label[at] for name, at in chosen.items()}, classes, holdout)
    facts = DataFacts.of("graph", "classify_nodes", (node.shape[1],), classes, **splits)
    undirected = graph_notes.is_undirected(edge, len(node))
    notes = (*graph_notes.describe([graph]), *graph_notes.note_several_masks(masks))
    return replace(facts, undirected=undirected, notes=notes), given


def _chosen(masks: Mapping[str, Tensor], known: Tensor, where: str) -> dict[str, Tensor]:
    """Return the numbers of the labelled nodes of each split, (n,) int64; all without masks.

    Raises UserError for masks of other nodes, of none to train on, and for such as overlap.
    """
    if masks and "train" not in masks:
        raise UserError(
            f"{where} has {', '.join(_MASKS[name] for name in masks)}, but no train_mask"
        )
    chosen, taken = {}, torch.zeros_like(known)
    for name, mask in (masks or {"train": known}).items():
        first = mask if mask.ndim == 1 else mask[:, 0]
        if first.dtype != torch.bool or first.shape != known.shape:
            raise UserError(
                f"{where}: {_MASKS[name]} is {tuple(mask.shape)} {mask.dtype}, but has to be true "
                f"or false for each of {len(known)} nodes"
            )
        if both := int((first & taken).sum()):
            raise UserError(f"{where}: {both} nodes of {_MASKS[name]} are in another mask as well")
        taken, chosen[name] = taken | first, (first & known).nonzero()[:, 0]
    return chosen


def from_many_graphs(splits: Mapping[str, Sequence[Any]], where: str, holdout: Holdout) -> Given:
    """Return graphs with a class each, if their `y` is an integer, else with regression targets."""
    from torch_geometric.data import Data

    given, widths = {}, set()
    for name, graphs in splits.items():
        kept = []
        for number, graph in enumerate(graphs):
            node, edge = _check_graph(graph, f"{where}: graph {number} of {name}")
            widths.add(node.shape[1])
            kept.append(Data(x=node, edge_index=edge))
        given[name] = GraphSplit.of(kept, _answers(graphs, f"{where}: {name}"))
    if len(widths) > 1:
        raise UserError(f"{where}: its nodes differ in their number of features: {sorted(widths)}")
    every = [graph for graphs in splits.values() for graph in graphs]
    undirected = all(graph_notes.is_undirected(it.edge_index, it.num_nodes) for it in every)
    shape, first, notes = (widths.pop(),), given["train"].tensors, graph_notes.describe(every)
    if "target" in first:
        targets = tuple(f"y{number}" for number in range(first["target"].shape[1]))
        sizes = split_facts(given, (), holdout)
        facts = DataFacts.of("graph", "regress", shape, (), targets=targets, **sizes)
        notes = (*notes, *_note_whole_targets(first["target"]))
    else:
        labels = {name: split.tensors["label"] for name, split in given.items()}
        classes = tuple(map(str, range(max(int(it.max()) for it in labels.values()) + 1)))
        sizes = split_facts(labels, classes, holdout)
        facts = DataFacts.of("graph", "classify", shape, classes, **sizes)
    return replace(facts, undirected=undirected, notes=notes), given


def _note_whole_targets(target: Tensor) -> tuple[str, ...]:
    """Note regression targets that may be classes."""
    whole = target.shape[1] == 1 and bool((target == target.round()).all())
    return ("y is of whole numbers as floats: regression targets; classes are integers",) * whole


def _is_labelled_by_node(graph: Any) -> bool:
    return graph.y is not None and graph.y.shape[:1] == (graph.num_nodes,) and graph.num_nodes > 1


def _check_graph(graph: Any, where: str) -> tuple[Tensor, Tensor]:
    """Return features (N, F) and edges (2, E) of a graph. Raises UserError for wrong ones."""
    count, edge = graph.num_nodes or 0, graph.edge_index
    if not count or edge is None:
        raise UserError(f"{where} has no {'edge_index' if count else 'node'}")
    node = torch.ones(count, 1) if graph.x is None else graph.x.view(count, -1)
    _check_edges(edge, count, where)
    if not node.isfinite().all():
        row, column = (~node.isfinite()).nonzero()[0].tolist()
        raise UserError(f"{where}: feature {column} of node {row} is {node[row, column]:g}")
    return precision.to_float32(node, f"{where}: x"), edge.long()


def _check_edges(edge: Tensor, count: int, where: str) -> None:
    """Raise UserError for what is not (2, E) integers, or not between so many nodes."""
    if edge.ndim != 2 or len(edge) != 2:
        turned = edge.ndim == 2 and edge.shape[1] == 2
        raise UserError(
            f"{where}: edge_index is {tuple(edge.shape)}, but has to be (2, edges)",
            hint="Turn it: edge_index.t()." if turned else "",
        )
    if edge.numel() and (edge.is_floating_point() or edge.dtype == torch.bool):
        raise UserError(f"{where}: edge_index is {edge.dtype}, but has to be integers")
    if edge.numel() and not 0 <= int(edge.min()) <= int(edge.max()) < count:
        raise UserError(
            f"{where}: an edge from {int(edge.min())} or to {int(edge.max())}, of {count} nodes",
            hint="Nodes count from 0.",
        )


def _label_of_nodes(graph: Any, where: str) -> Tensor:
    label = graph.y
    if label is None or label.is_floating_point() or label.numel() != graph.num_nodes:
        found = "nothing" if label is None else f"{tuple(label.shape)} {label.dtype}"
        raise UserError(
            f"{where}: y is {found}, but has to be an integer for each of {graph.num_nodes} nodes"
        )
    return label.view(-1).long()


def _answers(graphs: Sequence[Any], where: str) -> Tensors:
    """Return the class of each graph, (N,), or its regression targets, (N, targets)."""
    for number, graph in enumerate(graphs):
        if graph.y is None or graph.y.numel() != graphs[0].y.numel():
            raise UserError(f"{where}: graph {number} has no y, or one of another size")
        if not graph.y.isfinite().all():
            raise UserError(f"{where}: y of graph {number} is not finite: {graph.y.tolist()}")
    y = torch.stack([graph.y.view(-1) for graph in graphs])
    if y.is_floating_point():
        return {"target": y}
    if y.shape[1] > 1 or y.min() < 0:
        raise UserError(f"{where}: y has to be one class, from 0, or floats as regression targets")
    return {"label": y[:, 0].long()}
