"""Examples from torch_geometric's graphs: the nodes of one, or many, with a class or targets.

A node has features, or else a 1; weights and attributes of edges are not read. Where a graph
has several masks for a split, the first counts. The plan has notes on it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hpc_dl.data import validation
from hpc_dl.data.dataset import Split
from hpc_dl.data.faults import PLACES, Faults
from hpc_dl.data.graphs import answers, masks, notes
from hpc_dl.data.graphs.checks import Checked, check
from hpc_dl.data.graphs.splits import Graph, GraphSplit, NodeSplit
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.data.user_functions.returned import kind_of, way_from
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.facts import DataFacts

Given = tuple[DataFacts, Mapping[str, Split]]

_DEFAULT = Holdout()
_GRAPH = "a graph"
_BY_SPLIT = 'Graphs are divided by name: return {"train": [...], "test": [...]}.'


def with_lists(given: Any) -> Any:
    """Return what a function returned, with lists in place of data sets of graphs."""
    if not _may_be_graph():
        return given
    from torch.utils.data import Dataset
    from torch_geometric.data.data import BaseData

    if isinstance(given, dict):
        return {name: with_lists(it) for name, it in given.items()}
    if not isinstance(given, Dataset) or not hasattr(given, "__len__") or not len(given):
        return given
    is_of_graphs = isinstance(given[0], BaseData)
    return [given[number] for number in range(len(given))] if is_of_graphs else given


def is_graph(given: Any) -> bool:
    """Return whether a user's source gives graphs: a Data, several, or several by split."""
    if not _may_be_graph():
        return False
    if isinstance(given, Mapping):
        return any(is_graph(it) for name, it in given.items() if name in masks.MASKS)
    several = isinstance(given, list | tuple) and len(given) > 0
    return _is_data(given[0] if several else given)


def from_graphs(given: Any, where: str, holdout: Holdout) -> Given:
    """Return the examples of a Data, whose nodes they are, of several, or of several by split.

    A data set of one graph, with a label for each of its nodes, is that graph.
    """
    if _is_data(given):
        return from_nodes(given, where, holdout)
    if isinstance(given, tuple) and not all(map(_is_data, given)):
        raise UserError(
            f"{where} returned {kind_of(given)}: a graph, and {kind_of(given[-1])}",
            hint="Return the graph alone. Its nodes are divided by its train_mask, val_mask and "
            "test_mask: torch_geometric.utils.index_to_mask(index, size=num_nodes). Names of "
            "classes are y itself, as words.",
        )
    by_name = given if isinstance(given, Mapping) else {"train": given}
    validation.refuse_unknown_names(by_name, tuple(masks.MASKS), where)
    splits = {name: _listed(graphs, f"{where}: {name}") for name, graphs in by_name.items()}
    if not splits.get("train"):
        raise UserError(f"{where}: there is no graph to train on")
    first = splits["train"][0]
    if len(splits["train"]) == 1 and len(splits) == 1 and _is_labelled_by_node(first):
        return from_nodes(first, where, holdout)
    return from_many_graphs(splits, where, holdout)


def from_nodes(graph: Any, where: str, holdout: Holdout = _DEFAULT) -> Given:
    """Return the labelled nodes of one graph, divided by its masks, where it has them."""
    checked = check(graph, where)
    label, classes = answers.of_nodes(graph, len(checked.node), where)
    chosen, about = masks.nodes_of_splits(graph, label >= 0, where)
    shared, given = Graph(checked.node, checked.edge), {}
    for name, at in chosen.items():
        given[name] = NodeSplit(shared, {"at": at, "label": label[at]})
    splits = split_facts({name: label[at] for name, at in chosen.items()}, classes.names, holdout)
    shape = (checked.node.shape[1],)
    facts = DataFacts.of("graph", "classify_nodes", shape, classes.names, **splits)
    every = (*notes.describe([checked]), *classes.notes, *about)
    return replace(facts, undirected=notes.is_undirected(checked), notes=every), given


def from_many_graphs(splits: Mapping[str, Sequence[Any]], where: str, holdout: Holdout) -> Given:
    """Return graphs with a class each, if their `y` is an integer, else with regression targets."""
    for name, graphs in splits.items():
        for number, graph in enumerate(graphs):
            masks.refuse_other_names(graph, f"{where}: {name}: graph {number}", _BY_SPLIT)
    checked = {name: _checked(it, f"{where}: {name}") for name, it in splits.items()}
    shape = (_width(checked, where),)
    nodes = {name: [len(it.node) for it in graphs] for name, graphs in checked.items()}
    found, classes, about = answers.of_graphs(splits, nodes, where)
    given = {name: GraphSplit.of(graphs, found[name]) for name, graphs in checked.items()}
    every = [graph for graphs in checked.values() for graph in graphs]
    if classes:
        labels = {name: it["label"] for name, it in found.items()}
        sizes = split_facts(labels, classes, holdout)
        facts = DataFacts.of("graph", "classify", shape, classes, **sizes)
    else:
        targets = tuple(f"y{number}" for number in range(found["train"]["target"].shape[1]))
        sizes = split_facts(given, (), holdout)
        facts = DataFacts.of("graph", "regress", shape, (), targets=targets, **sizes)
    undirected = all(map(notes.is_undirected, every))
    return replace(facts, undirected=undirected, notes=(*notes.describe(every), *about)), given


def _may_be_graph() -> bool:
    return "torch_geometric" in sys.modules  # whose import takes 2 s


def _is_data(given: Any) -> bool:
    from torch_geometric.data import Batch, Data

    return isinstance(given, Data) and not isinstance(given, Batch)


def _listed(graphs: Any, where: str) -> list[Any]:
    """Return the graphs of a split. Raises UserError for what is no list of Data."""
    if not isinstance(graphs, list | tuple):
        masked = "Nodes are divided by train_mask, val_mask and test_mask of one Data."
        raise UserError(
            f"{where} has to be a list of torch_geometric's Data, but is {kind_of(graphs)}",
            hint=masked if _is_data(graphs) else way_from(graphs),
        )
    faults = Faults(f"{where}: graphs have to be torch_geometric's Data")
    for number, graph in enumerate(graphs):
        if not _is_data(graph):
            faults.add(f"{kind_of(graph)} is graph", [number], way_from(graph))
    faults.refuse()
    return list(graphs)


def _checked(graphs: Sequence[Any], where: str) -> list[Checked]:
    """Return the checked graphs of a split. Raises UserError with the faults of all of them."""
    faults, found = Faults(where), []
    wrong: dict[tuple[str, str], list[int]] = {}
    for number, graph in enumerate(graphs):
        try:
            found.append(check(graph, _GRAPH))
        except UserError as error:
            wrong.setdefault((error.message, error.hint), []).append(number)
    for (message, hint), numbers in wrong.items():
        which = f"{where}: graph {first_few(numbers, PLACES)}"
        with faults.collect():
            raise UserError(message.replace(_GRAPH, which, 1), hint=hint)
    faults.refuse()
    without = [number for number, graph in enumerate(found) if not graph.has_features]
    if len(without) < len(found):
        faults.add(f"{len(without)} of {len(found)} graphs have no x, graph", without)
    faults.refuse()
    return found


def _width(checked: Mapping[str, Sequence[Checked]], where: str) -> int:
    """Return the number of features of a node. Raises UserError where graphs differ in it."""
    by_width: dict[int, list[str]] = {}
    for name, graphs in checked.items():
        for number, graph in enumerate(graphs):
            by_width.setdefault(graph.node.shape[1], []).append(f"graph {number} of {name}")
    if len(by_width) > 1:
        faults = Faults(f"{where}: nodes differ in their number of features")
        for width, places in sorted(by_width.items()):
            faults.add(f"{width} in {len(places)}", places)
        faults.refuse()
    return next(iter(by_width))


def _is_labelled_by_node(graph: Any) -> bool:
    y = graph.y
    return getattr(y, "shape", ())[:1] == (graph.num_nodes,) and graph.num_nodes > 1
