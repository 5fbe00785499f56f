"""A loss that is not finite: on which samples, what is kept for a look, and what comes next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from hpc_dl.train.evaluate import evaluating
from hpc_dl.train.tally import Turn
from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Architecture, Batch

LOWER = 0.5
"""What the learning rate is multiplied by when the training goes back."""
MOST_BACK, MOST_SKIPPED = 5, 10
"""How often it goes back, and how many steps in a row are skipped, before it stops all the same."""
_SHOWN = 8

Action = Literal["stop", "skip", "back"]


class Guard:
    """Decides what follows; every rank decides alike, and a resumed run as it did before."""

    def __init__(self, policy: Action) -> None:
        self.policy = policy
        self.in_a_row = 0
        self.last = -1

    def judge(self, step: int, rate_factor: float) -> Action:
        """What to do after a fault in `step`, at a rate that may have been lowered already."""
        self.in_a_row = self.in_a_row + 1 if step == self.last + 1 else 1
        self.last = step
        if self.policy == "skip" and self.in_a_row > MOST_SKIPPED:
            return "stop"
        if self.policy == "back" and rate_factor <= LOWER**MOST_BACK:
            return "stop"
        return self.policy

    def state(self) -> dict[str, int]:
        return {"in_a_row": self.in_a_row, "last": self.last}

    def load(self, state: Mapping[str, int]) -> None:
        self.in_a_row, self.last = state["in_a_row"], state["last"]


def samples(
    architecture: Architecture,
    nets: Mapping[str, nn.Module],
    micro_batches: Sequence[Batch],
    player: str,
    world: World,
) -> list[int]:
    """The numbers of the samples, on all ranks, whose own loss is not finite.

    All of the batch where no sample is so by itself. All ranks have to call this together; `nets`
    are bare, and stand where they stood in the step.
    """
    mine = [int(number) for batch in micro_batches for number in batch["index"]]
    with evaluating(nets), torch.no_grad():
        bad = [
            not torch.isfinite(architecture.loss(nets, example, player).total).item()
            for batch in micro_batches
            for example in _one_by_one(batch)
        ]
    chosen = [number for number, is_bad in zip(mine, bad, strict=True) if is_bad]
    found, every = world.gather_objects(chosen), world.gather_objects(mine)
    return [number for rank in found for number in rank] or [n for rank in every for n in rank]


def describe(turn: Turn, chosen: Sequence[int]) -> str:
    """The fault in one line, with a few of its samples."""
    shown = ", ".join(str(number) for number in chosen[:_SHOWN])
    more = f" and {len(chosen) - _SHOWN} more" if len(chosen) > _SHOWN else ""
    return (
        f"step {turn.step}: the loss of player '{turn.player}' is {turn.total.item()}, "
        f"on training samples {shown}{more}"
    )


def keep(folder: Path, state: Mapping[str, Any], turn: Turn, chosen: Sequence[int]) -> None:
    """Write the state before the step, and which samples it was, for a person to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "state.pt")
    said = {"step": turn.step, "player": turn.player, "loss": str(turn.total.item())}
    (folder / "samples.json").write_text(json.dumps({**said, "samples": list(chosen)}) + "\n")


def _one_by_one(batch: Batch) -> Sequence[Batch]:
    return [
        {name: tensor[n : n + 1] for name, tensor in batch.items()}
        for n in range(len(batch["index"]))
    ]
