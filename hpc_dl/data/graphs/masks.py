"""Masks of the nodes of a graph: which of them are in which split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hpc_dl.data.user_functions.tensors import to_tensor
from hpc_dl.errors import UserError

MASKS = {"train": "train_mask", "validation": "val_mask", "test": "test_mask"}


def nodes_of_splits(
    graph: Any, known: Tensor, where: str
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the numbers of the labelled nodes of each split, (n,) int64, all without masks; and
    notes.

    `known` (N,) says which nodes are labelled. Raises UserError for masks of other nodes, of none
    to train on, and for such as overlap.
    """
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
    return chosen, _notes(there, masks)


def _mask(mask: Tensor, known: Tensor, where: str) -> Tensor:
    """Return a mask (N,), the first where there are several. Raises UserError for anything else."""
    first = mask[:, 0] if mask.ndim == 2 and mask.shape[1] else mask
    if first.dtype == torch.bool and first.shape == known.shape:
        return first
    ways = "Of numbers of nodes: torch_geometric.utils.index_to_mask(index, size=num_nodes)."
    if first.shape == known.shape and ((first == 0) | (first == 1)).all():
        ways = "Of 0 and 1: mask.bool()."
    raise UserError(
        f"{where} is {tuple(mask.shape)} {mask.dtype}, but has to be true or false for each of "
        f"{len(known)} nodes",
        hint=ways,
    )


def _notes(there: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Note several masks for a split, and a mask that is missing."""
    widths = {it.shape[1] for it in there.values() if it.ndim > 1}
    notes = [f"of {width} divisions by masks the first is read" for width in sorted(widths)]
    missing = [name for name in MASKS if masks and name not in masks]
    drawn = (f"no {MASKS[name]}: nodes of train_mask are drawn for the {name}" for name in missing)
    return (*notes, *drawn)
