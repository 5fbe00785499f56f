"""What is predicted of graphs or their nodes: classes, or regression targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hpc_dl.data.arrays.classes import convert
from hpc_dl.data.dataset import Tensors
from hpc_dl.data.faults import Faults
from hpc_dl.data.labels import Classes
from hpc_dl.data.splits.holdout import Array
from hpc_dl.data.user_functions.tensors import to_array
from hpc_dl.data.validation import check_targets
from hpc_dl.errors import UserError

_FLOATS = "Numbers to predict are floats: y.float()."
_NO_TARGETS = "Of nodes, classes alone are predicted."


def of_nodes(graph: Any, count: int, where: str) -> tuple[Tensor, Classes]:
    """Return the class of each node, (N,) int64, -1 where it is not known; and the classes.

    Raises UserError for what are no classes.
    """
    if "y" not in graph or graph.y is None:
        raise UserError(f"{where} has no y", hint="y is the class of each node.")
    where = f"{where}: y"
    y = to_array(graph.y, where)
    y = y.reshape(-1) if y.size == count else y
    if y.ndim not in (1, 2) or len(y) != count:
        raise UserError(
            f"{where} is {y.shape} {y.dtype}, but has to be a class for each of {count} nodes"
        )
    known = _known(y, where)
    if not known.any():
        raise UserError(f"{where}: no node has a label: all are {y.flat[0]}")
    found = convert({"train": y[known]}, {"train": where}, _NO_TARGETS)
    label = torch.full((count,), -1)
    label[torch.from_numpy(known)] = torch.from_numpy(found.labels["train"].astype(np.int64))
    left = count - int(known.sum())
    note = f"{left} of {count} nodes have no label (y is negative), and are in no split"
    return label, replace(found, notes=(*found.notes, *((note,) * bool(left))))


def _known(y: Array, where: str) -> Array:
    """Return which nodes have a label, (N,): a negative number says that there is none."""
    if y.ndim > 1 or y.dtype.kind not in "if":
        return np.ones(len(y), bool)
    if y.dtype.kind == "f":
        faults, gaps = Faults(where), np.isnan(y)
        hint = "Where a node has no label, -1: torch.nan_to_num(y, nan=-1).long()."
        faults.add(f"nan for {gaps.sum()} of {len(y)} nodes", np.flatnonzero(gaps).tolist(), hint)
        faults.refuse()
    if set(np.unique(y).tolist()) == {-1, 1}:  # two classes
        return np.ones(len(y), bool)
    known: Array = y >= 0
    return known


def of_graphs(
    splits: Mapping[str, Sequence[Any]], nodes: Mapping[str, Sequence[int]], where: str
) -> tuple[dict[str, Tensors], tuple[str, ...], tuple[str, ...]]:
    """Return `label` (N,) or `target` (N, targets) of each split, the names of the classes, if
    they are some, and notes.

    `nodes` are the graphs' numbers of nodes.
    """
    rows = {n: _rows(it, nodes[n], f"{where}: {n}") for n, it in splits.items()}
    if len({it.shape[1] for it in rows.values()}) > 1:
        shapes = {name: it.shape[1] for name, it in rows.items()}
        raise UserError(f"{where}: the splits differ in the numbers of a graph's y: {shapes}")
    if any(it.dtype.kind == "f" for it in rows.values()):
        type_ = np.result_type(np.float32, *rows.values())
        targets = {
            name: check_targets(torch.from_numpy(it.astype(type_)), len(it), f"{where}: {name}")
            for name, it in rows.items()
        }
        return _by_split("target", targets), (), _note_whole(targets["train"])
    flat = {name: it[:, 0] if it.shape[1] == 1 else it for name, it in rows.items()}
    classes = convert(flat, {name: f"{where}: {name}: y" for name in flat}, _FLOATS)
    labels = {name: torch.from_numpy(it.astype(np.int64)) for name, it in classes.labels.items()}
    return _by_split("label", labels), classes.names, classes.notes


def _by_split(key: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensors]:
    return {name: {key: tensor} for name, tensor in tensors.items()}


def _rows(graphs: Sequence[Any], nodes: Sequence[int], where: str) -> Array:
    """Return y of each graph as a row, (N, numbers). Raises UserError with all that are wrong."""
    faults = Faults(where)
    without = [n for n, it in enumerate(graphs) if "y" not in it or not _size(it.y)]
    faults.add(f"{len(without)} of {len(graphs)} graphs have no y, graph", without)
    faults.refuse()
    every = [to_array(it.y, f"{where}: graph {n}: y").reshape(-1) for n, it in enumerate(graphs)]
    sizes = [len(it) for it in every]
    if sizes == list(nodes) and len(set(sizes)) > 1:
        raise UserError(
            f"{where}: y has a label for each node, of {len(graphs)} graphs: nodes are classified "
            "of one graph",
            hint="Join them: one = torch_geometric.data.Batch.from_data_list(graphs), and return "
            "Data(x=one.x, edge_index=one.edge_index, y=one.y, train_mask=...).",
        )
    other = [n for n, size in enumerate(sizes) if size != sizes[0]]
    what = f"y has {sizes[0]} numbers in graph 0, and others in {len(other)} graphs, like graph"
    faults.add(what, other)
    bad = [n for n, it in enumerate(every) if it.dtype.kind == "f" and not np.isfinite(it).all()]
    faults.add(f"y is not finite in {len(bad)} of {len(graphs)} graphs, graph", bad)
    faults.refuse()
    kinds = {it.dtype.kind for it in every}
    if len(kinds) > 1 and "U" in kinds:
        raise UserError(f"{where}: y is a word in some graphs, and a number in others")
    return np.stack(every)


def _size(y: Any) -> int:
    """Return the number of values; 0 for None."""
    return 0 if y is None else int(np.prod(getattr(y, "shape", None) or np.shape(y)))


def _note_whole(target: Tensor) -> tuple[str, ...]:
    """Note regression targets that may be classes."""
    whole = bool((target == target.round()).all())
    return ("y is of whole numbers as floats: regression targets; classes are integers",) * whole
