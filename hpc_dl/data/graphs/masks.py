"""Masks of the nodes of a graph: which of them are in which split."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from hpc_dl.data.user_functions.tensors import to_tensor
from hpc_dl.errors import UserError

MASKS = {"train": "train_mask", "validation": "val_mask", "test": "test_mask"}
_OF_NUMBERS = "Of numbers of nodes: torch_geometric.utils.index_to_mask(index, size=num_nodes)."
_SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "split", "splits"}
"""Words in the names of attributes that divide the examples."""


def nodes_of_splits(
    graph: Any, known: Tensor, where: str
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the numbers of the labelled nodes of each split, (n,) int64, all without masks; and
    notes.

    `known` (N,) says which nodes are labelled. Raises UserError for masks of other nodes, of none
    to train on, and for such as overlap.
    """
    refuse_other_names(
        graph,
        where,
        f"Masks are called train_mask, val_mask and test_mask. {_OF_NUMBERS}",
        MASKS.values(),
    )
    there = {
        name: to_tensor(graph[mask], f"{where}: {mask}")
        for name, mask in MASKS.items()
        if mask in graph and graph[mask] is not None
    }
    if there and "train" not in there:
        raise UserError(
            f"{where} has {', '.join(MASKS[name] for name in there)}, but no train_mask",
            hint="Call it train_mask; what other masks leave out is not trained on by itself.",
        )
    masks = {name: _mask(mask, known, f"{where}: {MASKS[name]}") for name, mask in there.items()}
    chosen, taken = {}, torch.zeros_like(known)
    for name, mask in (masks or {"train": known}).items():
        if both := int((mask & taken).sum()):
            raise UserError(f"{where}: {both} nodes of {MASKS[name]} are in another mask as well")
        taken, chosen[name] = taken | mask, (mask & known).nonzero()[:, 0]
        if not len(chosen[name]):
            raise UserError(
                f"{where}: {MASKS[name]} has no node with a label",
                hint="" if name == "train" else "Leave it out, to have some drawn from train_mask.",
            )
    return chosen, _notes(there, masks, where)


def refuse_other_names(graph: Any, where: str, way: str, known: Collection[str] = ()) -> None:
    """Raise UserError for attributes that divide the examples, and would be passed over.

    `known` are the names of those that are read, `way` is a hint.
    """
    words = {name: set(re.split(r"[^a-z]+", name.lower())) for name in graph.keys()}  # noqa: SIM118
    found = [name for name, parts in words.items() if parts & _SPLITS and name not in known]
    if found:
        raise UserError(
            f"{where} has {', '.join(sorted(found))}, by which examples are not divided",
            hint=f"{way} If it is of something else, leave it out: del data.{found[0]}.",
        )


def _mask(mask: Tensor, known: Tensor, where: str) -> Tensor:
    """Return a mask (N,), the first where there are several. Raises UserError for anything else."""
    first = mask[:, 0] if mask.ndim == 2 and mask.shape[1] else mask
    if first.dtype == torch.bool and first.shape == known.shape:
        return first
    ways = _OF_NUMBERS
    if first.shape == known.shape and ((first == 0) | (first == 1)).all():
        ways = "Of 0 and 1: torch.as_tensor(mask).bool()."
    if mask.ndim == 2 and mask.shape[1] == len(known):
        ways = "Turn it: torch.as_tensor(mask).t()."
    raise UserError(
        f"{where} is {tuple(mask.shape)} {mask.dtype}, but has to be true or false for each of "
        f"{len(known)} nodes",
        hint=ways,
    )


def _notes(there: Mapping[str, Tensor], masks: Mapping[str, Tensor], where: str) -> tuple[str, ...]:
    """Note several masks for a split, and a mask that is missing.

    Raises UserError where there are not as many masks for each split.
    """
    widths = {MASKS[name]: it.shape[1] for name, it in there.items() if it.ndim > 1}
    several = {width for width in widths.values() if width > 1}
    if len(several) > 1:
        raise UserError(
            f"{where}: the masks are of several numbers of divisions: {widths}",
            hint="Give one of each that belong together: mask[:, 0].",
        )
    notes = [f"of {width} divisions by masks the first is read" for width in several]
    missing = [name for name in MASKS if masks and name not in masks]
    drawn = (f"no {MASKS[name]}: nodes of train_mask are drawn for the {name}" for name in missing)
    return (*notes, *drawn)
