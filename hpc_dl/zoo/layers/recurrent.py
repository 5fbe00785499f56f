"""Recurrent networks, whose outputs are computed from the last state or from all states.

Each layer is a module of its own, with dropout between them. A torch module of several layers has
dropout too, but on a GPU its random numbers are cuDNN's, and seeding these in every step takes
longer than the step, and waits for the device.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.model import Pooling
from hpc_dl.tasks.padding import is_real
from hpc_dl.tasks.state import State
from hpc_dl.zoo.layers.fronts import Front

Layer = Callable[[int], nn.RNNBase]
"""Makes a layer of an input size, for sequences (T, B, size), which reads forwards."""

_OF_TORCH = re.compile(r"cells\.(?:(\d+)\.)?(\w+_l)(\d+)(_reverse)?")


class RecurrentLayers(nn.Module):
    """Recurrent layers, with dropout between them, which read padded sequences forwards, or in
    `both_ways`.

    What reads backwards is given the real steps in reverse order, and the padding as it is. Layers
    of torch that read both ways would need packed sequences: these wait for the device, and on a
    CPU take several times as long as the padding that they save.
    """

    def __init__(
        self,
        layer: Layer,
        layers: int,
        size: int,
        width: int,
        dropout: float,
        *,
        both_ways: bool,
    ) -> None:
        """`size` is that of the steps, and `width` that of the states of a layer."""
        super().__init__()
        ways, self.dropout = 2 if both_ways else 1, dropout
        self.width = ways * width
        """Of the states of all ways."""
        self.layers = nn.ModuleList(
            nn.ModuleList(layer(self.width if number else size) for _ in range(ways))
            for number in range(layers)
        )

    def forward(self, sequence: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states of the last layer at each step of sequences (T, B, size), (T, B,
        width), and those that each way ends with, (B, width)."""
        ends = (length - 1)[None], torch.zeros_like(length)[None]
        ways: list[Tensor] = []
        layers: Any
        for number, layers in enumerate(self.layers):
            if number:
                sequence = F.dropout(sequence, self.dropout, self.training)
            ways = [_run(layers[0], sequence)]
            if len(layers) == 2:
                backwards = _reversed_places(length, sequence.shape[0])
                ways.append(_at(_run(layers[1], _at(sequence, backwards)), backwards))
            sequence = _joined(ways)
        return sequence, _joined([_at(*it)[0] for it in zip(ways, ends, strict=False)])


class RecurrentNetwork(nn.Module):
    """Inputs of any modality, as sequences, to outputs (B, outputs), or (B, T, outputs) `of_steps`.

    The outputs are of the states that the layers end with, or of the mean or the maximum of the
    states over the real steps; before the last, dense layer units are dropped.
    """

    def __init__(
        self,
        front: Front,
        cells: RecurrentLayers,
        outputs: int,
        *,
        dropout: float,
        pooling: Pooling = "last",
        of_steps: bool = False,
    ) -> None:
        super().__init__()
        self.front, self.pooling, self.of_steps = front, pooling, of_steps
        self.cells = cells
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(cells.width, outputs))
        self.register_load_state_dict_pre_hook(_rename_weights)

    def forward(self, example: Tensor, length: Tensor | None = None) -> Tensor:
        """Read examples, of which the first `length` (B,) steps are real, or all."""
        vectors, length = self.front(example, length)
        if length is None:
            length = torch.full(vectors.shape[:1], vectors.shape[1], device=vectors.device)
        states, last = self.cells(vectors.transpose(0, 1), length)
        if self.of_steps:
            return self.head(states).transpose(0, 1)
        return self.head(last if self.pooling == "last" else self._pooled(states, length))

    def _pooled(self, states: Tensor, length: Tensor) -> Tensor:
        """Return the mean or the maximum of states (T, B, size) over the real steps, (B, size)."""
        real = is_real(length, states.shape[0]).T[..., None]
        if self.pooling == "mean":
            return states.where(real, 0).sum(0) / length[:, None]
        return states.where(real, -torch.inf).amax(0)


class RecurrentLanguageModel(nn.Module):
    """Tokens (B, T) int64, or vectors (B, T, F), to outputs about the next at each step, (B, T,
    outputs), such as logits.

    `layer` makes a layer of `width` units of an input size. The state has a tensor (B, 1, width),
    of an LSTM two, for each layer. Padding has to be at the end: no real token depends on it then.
    """

    def __init__(
        self,
        layer: Layer,
        layers: int,
        embedding: nn.Module,
        size: int,
        outputs: int,
        *,
        width: int,
        between: float,
        last: float,
    ) -> None:
        """`size` is that of the embedded steps."""
        super().__init__()
        self.between = between
        self.embedding = embedding
        self.cells = nn.ModuleList(layer(width if number else size) for number in range(layers))
        self.head = nn.Sequential(nn.Dropout(last), nn.Linear(width, outputs))

    def forward(
        self, tokens: Tensor, length: Tensor | None = None, state: State = None
    ) -> tuple[Tensor, State]:
        sequence, states = self.embedding(tokens).transpose(0, 1), []
        with in_fp32(tokens.device.type):
            for number, layer in enumerate(self.cells):
                if number:
                    sequence = F.dropout(sequence, self.between, self.training)
                before = None if state is None else swap_batch(state[number])
                sequence, after = layer(sequence, before)
                states.append(swap_batch(after))
        return self.head(sequence).transpose(0, 1), tuple(states)


def swap_batch(state: Any) -> Any:
    """Return a state of torch's, (1, B, hidden), as (B, 1, hidden), or back."""
    if isinstance(state, tuple):
        return tuple(map(swap_batch, state))
    return state.transpose(0, 1).contiguous()


def _rename_weights(_: nn.Module, weights: dict[str, Any], prefix: str, *__: Any) -> None:
    """Rename the weights of a checkpoint whose layers, or the two ways of each, were one module."""
    for name in [it for it in weights if it.startswith(prefix)]:
        if match := _OF_TORCH.fullmatch(name.removeprefix(prefix)):
            layer, kind, only, reverse = match.groups()
            way = 1 if reverse else 0
            weights[f"{prefix}cells.layers.{layer or only}.{way}.{kind}0"] = weights.pop(name)


def _run(layer: nn.Module, sequence: Tensor) -> Tensor:
    """Return the states of a layer at each step."""
    with in_fp32(sequence.device.type):
        states, _ = layer(sequence)
    return states


def _reversed_places(length: Tensor, steps: int) -> Tensor:
    """Return where each step of reversed sequences is, (T, B); padding stays at the end."""
    places = torch.arange(steps, device=length.device)[:, None]
    return (length - 1 - places).where(is_real(length, steps).T, places)


def _joined(ways: list[Tensor]) -> Tensor:
    """Return (..., size) of all ways as one; a single one is not copied."""
    return ways[0] if len(ways) == 1 else torch.cat(ways, dim=-1)


def _at(sequence: Tensor, places: Tensor) -> Tensor:
    """Return the vectors of (T, B, size) at places (P, B), (P, B, size)."""
    return sequence.gather(0, places[..., None].expand(-1, -1, sequence.shape[2]))


def in_fp32(device: str) -> AbstractContextManager[object]:
    """Disable autocast of recurrent layers to bf16, so that they compute in fp32.

    Autocast has no bf16 for them: on a GPU it takes fp16, whose range is smaller, and on CPUs some
    of them have no kernel.
    """
    in_bf16 = (
        torch.amp.is_autocast_available(device)
        and torch.is_autocast_enabled(device)
        and torch.get_autocast_dtype(device) is torch.bfloat16
    )
    return torch.autocast(device, enabled=False) if in_bf16 else nullcontext()


def language_model(
    layer: Layer,
    layers: int,
    facts: DataFacts,
    outputs: int,
    **options: Any,
) -> RecurrentLanguageModel:
    """Return a language model of tokens, or of vectors such as the frames of a piano roll."""
    if facts.modality == "text":
        embedding = nn.Embedding(facts.outputs, options["width"])
        size = embedding.embedding_dim
        return RecurrentLanguageModel(layer, layers, embedding, size, outputs, **options)
    return RecurrentLanguageModel(layer, layers, nn.Identity(), facts.shape[-1], outputs, **options)
