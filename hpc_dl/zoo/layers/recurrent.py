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
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.model import Pooling
from hpc_dl.tasks.padding import is_real
from hpc_dl.tasks.state import State
from hpc_dl.zoo.layers.fronts import Front

_OF_SEVERAL_LAYERS = re.compile(r"(cells\.)(\w+_l)(\d+)(_reverse)?")


class RecurrentNetwork(nn.Module):
    """Inputs of any modality, as sequences, to outputs (B, outputs), or (B, T, outputs) `of_steps`.

    `layer` makes a layer of an input size, for sequences (T, B, size). The probabilities of dropout
    are those `between` the layers and before the `last`, dense one. The outputs are of the last
    state, or of the mean or the maximum of the states over the real steps.
    """

    def __init__(
        self,
        layer: Callable[[int], nn.RNNBase],
        layers: int,
        front: Front,
        outputs: int,
        *,
        between: float,
        last: float,
        pooling: Pooling = "last",
        of_steps: bool = False,
    ) -> None:
        super().__init__()
        self.front, self.pooling, self.of_steps = front, pooling, of_steps
        first = layer(front.size)
        directions = 2 if first.bidirectional else 1
        width = directions * first.hidden_size
        self.directions, self.between = directions, between
        self.cells = nn.ModuleList([first, *(layer(width) for _ in range(layers - 1))])
        self.head = nn.Sequential(nn.Dropout(last), nn.Linear(width, outputs))
        self.register_load_state_dict_pre_hook(_split_layers)

    def forward(self, example: Tensor, length: Tensor | None = None) -> Tensor:
        """Read examples, of which the first `length` (B,) steps are real, or all."""
        vectors, length = self.front(example, length)
        states, last = self._read(vectors.transpose(0, 1), length)
        if self.of_steps:
            return self.head(states.transpose(0, 1))
        return self.head(last if self.pooling == "last" else self._pooled(states, length))

    def _read(self, sequence: Any, length: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the states of the last layer at each step, (T, B, ways * hidden), and those after
        the last real one, (B, ways * hidden)."""
        steps = len(sequence)
        if length is not None and self.directions == 2:
            # Reading backwards begins at the last real step. Else nothing is packed: it waits for
            # the device, and on a CPU takes 1.1 to 2.4 times as long as the padding that it saves.
            sequence = pack_padded_sequence(sequence, length.cpu(), enforce_sorted=False)
        with in_fp32(sequence.data.device.type):
            sequence, last = self.cells[0](sequence)
            for layer in self.cells[1:]:
                sequence, last = layer(self._drop(sequence))
        state = last[0] if isinstance(last, tuple) else last  # (ways, B, hidden)
        if isinstance(sequence, PackedSequence):
            sequence, _ = pad_packed_sequence(sequence, total_length=steps)
        elif length is not None:
            state = sequence[length - 1, torch.arange(len(length), device=length.device)][None]
        return sequence, torch.cat(list(state), dim=1)

    def _pooled(self, states: Tensor, length: Tensor | None) -> Tensor:
        """Return the mean or the maximum of states (T, B, size) over the real steps, (B, size)."""
        if length is None:
            return states.mean(0) if self.pooling == "mean" else states.amax(0)
        real = is_real(length, len(states)).T[..., None]
        if self.pooling == "mean":
            return states.where(real, 0).sum(0) / length[:, None]
        return states.where(real, -torch.inf).amax(0)

    def _drop(self, sequence: Any) -> Any:
        if isinstance(sequence, PackedSequence):
            return sequence._replace(data=F.dropout(sequence.data, self.between, self.training))
        return F.dropout(sequence, self.between, self.training)


class RecurrentLanguageModel(nn.Module):
    """Tokens (B, T) int64, or vectors (B, T, F), to outputs about the next at each step, (B, T,
    outputs), such as logits.

    `layer` makes a layer of `width` units of an input size. The state has a tensor (B, 1, width),
    of an LSTM two, for each layer. Padding has to be at the end: no real token depends on it then.
    """

    def __init__(
        self,
        layer: Callable[[int], nn.RNNBase],
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
        return self.head(sequence.transpose(0, 1)), tuple(states)


def swap_batch(state: Any) -> Any:
    """Return a state of torch's, (1, B, hidden), as (B, 1, hidden), or back."""
    if isinstance(state, tuple):
        return tuple(map(swap_batch, state))
    return state.transpose(0, 1).contiguous()


def _split_layers(_: nn.Module, weights: dict[str, Any], prefix: str, *__: Any) -> None:
    """Rename the weights of a checkpoint whose layers were one module."""
    for name in [it for it in weights if it.startswith(prefix)]:
        if match := _OF_SEVERAL_LAYERS.fullmatch(name.removeprefix(prefix)):
            cells, kind, layer, reverse = match.groups("")
            weights[f"{prefix}{cells}{layer}.{kind}0{reverse}"] = weights.pop(name)


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
    layer: Callable[[int], nn.RNNBase],
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
