"""What recurrent networks share: a sequence goes in; the last states, or all, go to the outputs.

Each layer is a module of torch's by itself, with dropout between them. A module of several layers
has dropout too, but on a GPU its random numbers are cuDNN's: to seed these anew, as every step
does, takes longer than the step, and waits for the device.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from hpc_dl.jobspec.data import DataFacts
from hpc_dl.tasks.state import State

_OF_SEVERAL_LAYERS = re.compile(r"(cells\.)(\w+_l)(\d+)(_reverse)?")


class Reader(nn.Module):
    """Reads a sequence (B, T, F), or an image (B, C, H, W) row by row, to outputs (B, outputs).

    `layer` makes a layer, of sequences (T, B, width), of the width of its inputs. Dropout lies
    `between` the layers, and before the `last`, which judges.
    """

    def __init__(
        self,
        layer: Callable[[int], nn.RNNBase],
        layers: int,
        features: int,
        outputs: int,
        *,
        between: float,
        last: float,
    ) -> None:
        super().__init__()
        first = layer(features)
        ways = 2 if first.bidirectional else 1
        width = ways * first.hidden_size
        self.ways, self.between = ways, between
        self.cells = nn.ModuleList([first, *(layer(width) for _ in range(layers - 1))])
        self.head = nn.Sequential(nn.Dropout(last), nn.Linear(width, outputs))
        self.register_load_state_dict_pre_hook(_divide)

    def forward(self, example: Tensor, length: Tensor | None = None) -> Tensor:
        """Read examples, of which the first `length` (B,) steps are real, or all."""
        sequence: Any = rows(example).transpose(0, 1)
        if length is not None and self.ways == 2:
            # Reading backwards begins at the last real step; packing waits for the device.
            sequence = pack_padded_sequence(sequence, length.cpu(), enforce_sorted=False)
        with _without_bf16(example.device.type):
            sequence, last = self.cells[0](sequence)
            for layer in self.cells[1:]:
                sequence, last = layer(self._drop(sequence))
        state = last[0] if isinstance(last, tuple) else last  # (ways, B, hidden)
        if length is not None and self.ways == 1:
            state = sequence[length - 1, torch.arange(len(length), device=length.device)][None]
        return self.head(torch.cat(list(state), dim=1))

    def _drop(self, sequence: Any) -> Any:
        if isinstance(sequence, PackedSequence):
            return sequence._replace(data=F.dropout(sequence.data, self.between, self.training))
        return F.dropout(sequence, self.between, self.training)


class TokenReader(nn.Module):
    """Reads tokens (B, T) int64, from a state on, to logits of the next one at each, (B, T, V).

    `layer` makes a layer, of `width` units, of the width of its inputs. The state has a tensor
    (B, 1, width), of an LSTM two, for each layer. Padding has to follow what is real: then nothing
    real depends on it.
    """

    def __init__(
        self,
        layer: Callable[[int], nn.RNNBase],
        layers: int,
        vocabulary: int,
        *,
        width: int,
        between: float,
        last: float,
    ) -> None:
        super().__init__()
        self.between = between
        self.embedding = nn.Embedding(vocabulary, width)
        self.cells = nn.ModuleList(layer(width) for _ in range(layers))
        self.head = nn.Sequential(nn.Dropout(last), nn.Linear(width, vocabulary))

    def forward(
        self, tokens: Tensor, length: Tensor | None = None, state: State = None
    ) -> tuple[Tensor, State]:
        sequence, states = self.embedding(tokens).transpose(0, 1), []
        with _without_bf16(tokens.device.type):
            for number, layer in enumerate(self.cells):
                if number:
                    sequence = F.dropout(sequence, self.between, self.training)
                before = None if state is None else _turned(state[number])
                sequence, after = layer(sequence, before)
                states.append(_turned(after))
        return self.head(sequence.transpose(0, 1)), tuple(states)


def _turned(state: Any) -> Any:
    """A state as torch has it, (1, B, hidden), as (B, 1, hidden), or back."""
    if isinstance(state, tuple):
        return tuple(map(_turned, state))
    return state.transpose(0, 1).contiguous()


def _divide(_: nn.Module, weights: dict[str, Any], prefix: str, *__: Any) -> None:
    """Have weights fit that are those of one module with all the layers, as they once were."""
    for name in [it for it in weights if it.startswith(prefix)]:
        if match := _OF_SEVERAL_LAYERS.fullmatch(name.removeprefix(prefix)):
            cells, kind, layer, reverse = match.groups("")
            weights[f"{prefix}{cells}{layer}.{kind}0{reverse}"] = weights.pop(name)


def _without_bf16(device: str) -> AbstractContextManager[object]:
    """Have recurrent layers compute in fp32 where the rest is to compute in bf16.

    Autocast has no bf16 for them: on a GPU it takes fp16, whose range is not bf16's, and on CPUs
    some of them have no kernel.
    """
    in_bf16 = (
        torch.amp.is_autocast_available(device)
        and torch.is_autocast_enabled(device)
        and torch.get_autocast_dtype(device) is torch.bfloat16
    )
    return torch.autocast(device, enabled=False) if in_bf16 else nullcontext()


def rows(example: Tensor) -> Tensor:
    """Images (B, C, H, W) as sequences of rows (B, H, C * W); sequences (B, T, F) as they are."""
    return example.transpose(1, 2).flatten(2) if example.ndim == 4 else example


def features(facts: DataFacts) -> int:
    """How many numbers a step of the sequence has."""
    if facts.modality == "image":
        channels, _, width = facts.shape
        return channels * width
    return facts.shape[-1]
