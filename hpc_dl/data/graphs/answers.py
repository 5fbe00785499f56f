"""What is predicted of graphs or their nodes: classes, or regression targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hpc_dl.data.arrays.classes import convert
from hpc_dl.data.dataset import Tensors
from hpc_dl.data.faults import Faults
from hpc_dl.data.graphs.checks import READ
from hpc_dl.data.labels import Classes, find_unlabelled, note_constant_targets
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
        raise UserError(f"{where} has no y", hint=f"y is the class of each node.{_others(graph)}")
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
    faults = Faults(where)
    what, gaps, as_numbers = _find_gaps(y)
    hint = f"Where a node has no label, y is -1: {as_numbers}"
    faults.add(f"{what} for {gaps.sum()} of {len(y)} nodes", np.flatnonzero(gaps).tolist(), hint)
    faults.refuse()
    if y.ndim > 1 or y.dtype.kind not in "if":
        return np.ones(len(y), bool)
    if set(np.unique(y).tolist()) == {-1, 1}:  # two classes
        return np.ones(len(y), bool)
    known: Array = y >= 0
    return known


def _find_gaps(y: Array) -> tuple[str, Array, str]:
    """Return which nodes have no label, (N,), but by no negative number; what y is there, and how
    to make it -1."""
    if y.dtype.kind in "OSU":
        every = y.reshape(len(y), -1)[:, 0].tolist()
        gaps = [it in (None, "", b"") or (isinstance(it, float) and isnan(it)) for it in every]
        way = "pandas.factorize(pandas.Series(y).replace('', None))[0]"
        return "no word", np.array(gaps, bool), way
    if y.ndim > 1:
        way = "y = torch.as_tensor(y); y = torch.where(y.any(1), y.argmax(1), -1)"
        return "no 1 in the row", np.asarray(~y.any(axis=1)), way
    if y.dtype.kind == "f":
        way = "torch.nan_to_num(torch.as_tensor(y), nan=-1).long()"
        return "nan", np.asarray(np.isnan(y)), way
    odd = [it for it in find_unlabelled(np.unique(y).tolist()) if it > 0]
    way = f"y = torch.as_tensor(y).long(); y[y == {max(odd, default=0)}] = -1"
    return f"label {max(odd, default=0)}", np.isin(y, odd), way


def _others(graph: Any) -> str:
    """Return a hint on what a graph has that may be its y."""
    names = [it for it in graph.keys() if it not in READ]  # noqa: SIM118  no mapping
    return f" Is it {' or '.join(names[:5])}? data.y = data.NAME." if names else ""


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
        train = targets["train"]
        names = [f"y{number}" for number in range(train.shape[1])]
        same = note_constant_targets(train.numpy(), names, f"{where}: train: y")
        return _by_split("target", targets), (), (*same, *_note_whole(train))
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
    what = f"{len(without)} of {len(graphs)} graphs have no y, graph"
    faults.add(what, without, f"y is the class or the targets of a graph.{_others(graphs[0])}")
    faults.refuse()
    every = [to_array(it.y, f"{where}: graph {n}: y").reshape(-1) for n, it in enumerate(graphs)]
    sizes = [len(it) for it in every]
    flat = all(len(getattr(it.y, "shape", ())) == 1 for it in graphs)  # of targets, (1, targets)
    if sizes == list(nodes) and max(sizes) > 1 and (flat or len(set(sizes)) > 1):
        raise UserError(
            f"{where}: y has a label for each node, of {len(graphs)} graphs: nodes are classified "
            "of one graph",
            hint="Join them: one = torch_geometric.data.Batch.from_data_list(graphs), and return "
            "Data(x=one.x, edge_index=one.edge_index, y=one.y, train_mask=...). If it is of the "
            "whole graph: y[None], (1, numbers).",
        )
    other = [n for n, size in enumerate(sizes) if size != sizes[0]]
    what = f"y has {sizes[0]} numbers in graph 0, and others in {len(other)} graphs, like graph"
    faults.add(what, other)
    bad = [n for n, it in enumerate(every) if it.dtype.kind == "f" and not np.isfinite(it).all()]
    hint = "Leave those out, or the targets that are not known of all."
    faults.add(f"y is not finite in {len(bad)} of {len(graphs)} graphs, graph", bad, hint)
    faults.refuse()
    _refuse_negative(every, faults)
    kinds = {it.dtype.kind for it in every}
    if len(kinds) > 1 and "U" in kinds:
        raise UserError(f"{where}: y is a word in some graphs, and a number in others")
    return np.stack(every)


def _refuse_negative(every: Sequence[Array], faults: Faults) -> None:
    """Raise UserError for negative classes; as the one of two, -1 is a class."""
    if not all(it.dtype.kind == "i" for it in every):
        return
    bad = [number for number, it in enumerate(every) if (it < 0).any()]
    if bad and set(np.unique(np.stack(every)).tolist()) != {-1, 1}:
        hint = (
            f"If that is no class, leave those out: [it for it in graphs if it.y >= 0]. {_FLOATS}"
        )
        faults.add(f"y is negative in {len(bad)} of {len(every)} graphs, graph", bad, hint)
        faults.refuse()


def _size(y: Any) -> int:
    """Return the number of values; 0 for None."""
    return 0 if y is None else int(np.prod(getattr(y, "shape", None) or np.shape(y)))


def _note_whole(target: Tensor) -> tuple[str, ...]:
    """Note regression targets that may be classes."""
    whole = bool((target == target.round()).all())
    return ("y is of whole numbers as floats: regression targets; classes are integers",) * whole
