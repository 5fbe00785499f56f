"""States of networks that read a sequence step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

State = Any
"""Tensors, or tuples, lists and dicts of them, whose first axis is the sequence; None at first."""


def map_tensors(function: Callable[[Tensor], Tensor], state: State) -> State:
    """Return a state with every tensor changed."""
    if isinstance(state, Tensor):
        return function(state)
    if isinstance(state, dict):
        return {name: map_tensors(function, it) for name, it in state.items()}
    if isinstance(state, tuple | list):
        return type(state)(map_tensors(function, it) for it in state)
    return state


def pick(state: State, rows: Tensor | slice) -> State:
    """Return the state of some of the sequences."""
    return map_tensors(lambda tensor: tensor[rows], state)


def clear(state: State, rows: Tensor) -> State:
    """Return a state that is 0, as at first, for the sequences where `rows` (B,) is true."""

    def cleared(tensor: Tensor) -> Tensor:
        return tensor.masked_fill(rows.view(-1, *[1] * (tensor.ndim - 1)), 0)

    return map_tensors(cleared, state)


def join(states: Sequence[State]) -> State:
    """Return the state of all sequences of several states; None of none."""
    if not states:
        return None
    first = states[0]
    if isinstance(first, Tensor):
        return torch.cat(list(states))
    if isinstance(first, dict):
        return {name: join([it[name] for it in states]) for name in first}
    if isinstance(first, tuple | list):
        return type(first)(map(join, zip(*states, strict=True)))
    return first
