"""Warm start: networks begin with weights of another training, as far as these fit.

A tensor is taken if one of its name and shape is there, unless its numbers would mean something
else: where the classes, the tokens or the columns are others, what has a weight for each of them is
made anew, as the seed says.
"""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.init_from import InitFrom
from hpc_dl.jobspec.model import Model
from hpc_dl.planning import warm_start
from hpc_dl.run.initial_weights import SAFETENSORS, InitialWeights, tensor_name
from hpc_dl.train.freeze import freeze
from hpc_dl.train.per_class import named_tensors, per_class_tensors

_NOT_ASKED = "not in `only`"


@dataclass(frozen=True)
class Fate:
    """What became of one tensor of the new networks, or of the old ones."""

    name: str
    shape: tuple[int, ...] | None
    """In the new networks; None where they have no such tensor."""
    there: tuple[int, ...] | None
    """In the weights to begin with; None where they have no such tensor."""
    became: str
    """`taken`, `frozen` (taken, and not trained), `new`, or `left` (not taken)."""
    reason: str = ""


@dataclass(frozen=True)
class WarmStart:
    """Report of a warm start; without one it is empty."""

    source: str = ""
    fates: list[Fate] = field(default_factory=list)
    lr_scale: float = 1.0
    is_known: bool = True
    """False if nobody knows which data the weights were trained on."""

    def names(self, *became: str) -> list[str]:
        """Return the names of the tensors that became this."""
        return [it.name for it in self.fates if it.became in became]

    def lr_scales(self, player: str) -> dict[str, float]:
        """Return factors of the learning rate by the names of a player's parameters."""
        if self.lr_scale == 1:
            return {}
        taken = set(self.names("taken"))
        prefix = "" if player == "model" else f"{player}/"
        return {it.removeprefix(prefix): self.lr_scale for it in taken if it.startswith(prefix)}

    def to_json(self) -> dict[str, Any]:
        """Return the report as the fields of a journal event."""
        counts = {"taken": len(self.names("taken", "frozen")), "frozen": len(self.names("frozen"))}
        reasons = {
            kind: {it.name: it.reason for it in self.fates if it.became == kind}
            for kind in ("new", "left")
        }
        return counts | reasons

    def table(self) -> str:
        """Return the report as CSV, a row for each tensor."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "became", "shape", "shape there", "reason"])
        for it in self.fates:
            shapes = [_shown(it.shape), _shown(it.there)]
            writer.writerow([it.name, it.became, *shapes, it.reason])
        return file.getvalue()

    def lines(self) -> Iterator[str]:
        """Yield the report in a few lines."""
        taken, frozen, new = (self.names(it) for it in ("taken", "frozen", "new"))
        yield (
            f"begins with {self.source}: {len(taken) + len(frozen)} tensors taken"
            f"{f', {len(frozen)} of them frozen' if frozen else ''}, {len(new)} made anew"
        )
        for it in self.fates:
            if it.became in ("new", "left"):
                here, there = (_shown(shape) for shape in (it.shape, it.there))
                what = "made anew" if it.became == "new" else "not taken"
                yield f"  {it.name}: {what}, {it.reason} (there {there}, here {here})"


def begin(
    networks: Mapping[str, nn.Module],
    initial: InitialWeights | None,
    options: Model,
    facts: DataFacts,
    code: Path,
) -> WarmStart:
    """Load `initial` weights into networks as `options.init_from` says, and freeze parameters.

    `facts` are those of the data to train on, `code` is the folder of the user's code. Raises
    UserError where nothing fits, or a pattern matches nothing.
    """
    asked = options.init_from
    if asked is None:
        return WarmStart()
    if initial is None:
        raise UserError(
            f"the run has no copy of the weights of {asked.source}, with which it begins",
            hint="`hpcdl submit --new` copies them.",
        )
    there, here = _read(initial.file), dict(named_tensors(networks))
    warm_start.check_patterns(asked, there)
    meanings = per_class_tensors(initial.source.facts, facts, options, code)
    fates = _with_their_weight(
        [_fate(name, tensor, there.get(name), asked, meanings) for name, tensor in here.items()]
    )
    taken = [it.name for it in fates if it.became == "taken"]
    if not taken:
        raise UserError(
            f"nothing of {asked.source} fits the network of model.name {options.name}: "
            f"{fates[0].name if fates else 'it'} {fates[0].reason if fates else 'has no weights'}",
            hint=f"There: {first_few(there, 6)}. Here: {first_few(here, 6)}.",
        )
    with torch.no_grad():
        for name in taken:
            here[name].copy_(there[name])
    frozen = set(warm_start.select(taken, asked.freeze))
    _check_freeze(asked, taken)
    freeze(networks, frozen)
    fates = [
        dataclasses.replace(it, became="frozen") if it.name in frozen else it for it in fates
    ] + [
        Fate(name, None, tuple(it.shape), "left", "the network has no such tensor")
        for name, it in there.items()
        if name not in here and (not asked.only or warm_start.select([name], asked.only))
    ]
    is_known = initial.source.facts is not None
    return WarmStart(initial.source.name, fates, asked.lr_scale, is_known)


def _fate(
    name: str, here: Tensor, there: Tensor | None, asked: InitFrom, meanings: Mapping[str, str]
) -> Fate:
    shape = tuple(here.shape)
    if there is None:
        return Fate(name, shape, None, "new", "no such tensor there")
    before = tuple(there.shape)
    if asked.only and not warm_start.select([name], asked.only):
        return Fate(name, shape, before, "new", _NOT_ASKED)
    if name in meanings:
        return Fate(name, shape, before, "new", meanings[name])
    if shape != before:
        return Fate(name, shape, before, "new", "another shape")
    return Fate(name, shape, before, "taken")


def _with_their_weight(fates: list[Fate]) -> list[Fate]:
    """Make biases, and counters of batches, anew with the weight of their layer."""
    anew = {it.name: it for it in fates if it.became == "new" and it.reason != _NOT_ASKED}

    def follows(it: Fate) -> bool:
        layer, _, key = it.name.rpartition(".")
        weight = f"{layer}.weight" if layer else "weight"
        return it.became == "taken" and weight in anew and (key == "bias" or it.shape == ())

    reason = "the weight of its layer is made anew"
    return [
        dataclasses.replace(it, became="new", reason=reason) if follows(it) else it for it in fates
    ]


def _check_freeze(asked: InitFrom, taken: list[str]) -> None:
    for pattern in asked.freeze:
        if not warm_start.select(taken, [pattern]):
            raise UserError(
                f"model.init_from.freeze: nothing that is taken matches '{pattern}'",
                hint=f"Taken: {first_few(taken, 12)}.",
            )


def _read(file: Path) -> dict[str, Tensor]:
    """Read the tensors of an export, a checkpoint or a state dict, by name."""
    try:
        if file.suffix == SAFETENSORS:
            return {tensor_name(k): it for k, it in safetensors.torch.load_file(file).items()}
        found: Any = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except Exception as error:  # a damaged file may raise anything
        raise UserError(
            f"{file} cannot be read: {str(error).partition(chr(10))[0]}",
            hint="Write a state dict: torch.save(network.state_dict(), FILE).",
        ) from None
    if isinstance(found, dict) and "engine" in found:  # a checkpoint: the averages, if there are
        found = {**found["engine"]["networks"], **found["engine"]["averages"]}
    if isinstance(found, dict) and all(isinstance(it, dict) for it in found.values()):
        found = {f"{name}/{key}": it for name, state in found.items() for key, it in state.items()}
    if not isinstance(found, dict) or not all(isinstance(it, Tensor) for it in found.values()):
        raise UserError(
            f"{file} holds no state dict",
            hint="Write one: torch.save(network.state_dict(), FILE).",
        )
    return {tensor_name(name): tensor for name, tensor in found.items()}


def _shown(shape: tuple[int, ...] | None) -> str:
    return "none" if shape is None else str(list(shape))
