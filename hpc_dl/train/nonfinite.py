"""A loss that is not finite: on which samples, what is kept for a look, and what comes next."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from hpc_dl.data.batches import Batches
from hpc_dl.data.names import Names
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.run.layout import RunDir
from hpc_dl.train import disk
from hpc_dl.train.engine import Engine
from hpc_dl.train.evaluate import evaluating
from hpc_dl.train.metric_accumulator import BadTurn
from hpc_dl.zoo.contract import Batch, part

LOWER = 0.5
"""What the learning rate is multiplied by when the training goes back."""
MOST_BACK, MOST_SKIPPED = 5, 10
"""How often it goes back, and how many steps in a row are skipped, before it stops all the same."""

Action = Literal["stop", "skip", "rollback"]


class Guard:
    """Decides what follows; every rank decides alike, and a resumed run as it did before."""

    def __init__(
        self, policy: Action, run: RunDir, engine: Engine, batches: Batches, names: Names
    ) -> None:
        self.policy, self.run, self.engine, self.batches = policy, run, engine, batches
        self.names = names
        self.in_a_row = 0
        self.last = -1

    def handle(
        self, turn: BadTurn, go_back: Callable[[int], str | None], warn: Callable[[str], None]
    ) -> bool:
        """Say where it was, keep the state, and go on or back; whether it went back.

        `go_back` puts the engine at a checkpoint from before a step, and returns its name. Raises
        UserError where the training has to stop. All ranks have to call this together.
        """
        what = self._looked_at(turn)
        match self._judge(turn.step):
            case "skip":
                warn(f"{what}; the step is skipped")
                return False
            case "rollback":
                factor = self.engine.rate_factor * LOWER
                name = go_back(turn.step)
                if name is not None:
                    self.engine.rate_factor = factor
                    warn(f"{what}; back to {name}, at {factor:g} of the learning rate")
                    return True
        raise UserError(
            f"{what}; stopped",
            hint="Look at these examples, lower the learning rate or clip the gradient; "
            "train.on_nonfinite can be `skip` or `rollback`.",
            exit_code=EXIT_FAILED,
        )

    def _looked_at(self, turn: BadTurn) -> str:
        """The fault in words, with its samples; the state is kept."""
        engine = self.engine
        chosen = samples(engine, self.batches.of_step(turn.step), turn.player)
        folder, state = self.run.nonfinite(turn.step), engine.state() | {"step": turn.step}
        if engine.sharded:
            whole = {name: net.state_dict() for name, net in engine.whole_nets().items()}
            state |= {"networks": whole}
        kept = ""
        if engine.world.rank == 0:
            try:
                _keep(folder, state, turn, chosen, self.names)
                kept = f"; state kept in {folder}"
            except (OSError, RuntimeError) as error:
                if not disk.refuses(error):
                    raise
                kept = f"; its state could not be kept: {disk.reason(error)}"
        return _describe(turn, chosen, self.names) + kept

    def _judge(self, step: int) -> Action:
        self.in_a_row = self.in_a_row + 1 if step == self.last + 1 else 1
        self.last = step
        if self.policy == "skip" and self.in_a_row > MOST_SKIPPED:
            return "stop"
        if self.policy == "rollback" and self.engine.rate_factor <= LOWER**MOST_BACK:
            return "stop"
        return self.policy

    def state(self) -> dict[str, int]:
        return {"in_a_row": self.in_a_row, "last": self.last}

    def load(self, state: Mapping[str, int]) -> None:
        self.in_a_row, self.last = state["in_a_row"], state["last"]


def samples(engine: Engine, micro_batches: Sequence[Batch], player: str) -> list[int]:
    """The numbers of the samples, on all ranks, whose own loss is not finite.

    All of the batch where no sample is so by itself. All ranks have to call this together.
    """
    world, nets = engine.world, engine.bare
    mine = [int(number) for batch in micro_batches for number in batch["index"]]
    every = world.gather_objects(mine)
    if engine.sharded:  # divided networks compute together, or not at all
        return [number for rank in every for number in rank]
    with evaluating(nets):  # with gradients, of which a loss may be made
        bad = [
            not torch.isfinite(
                engine.architecture.loss(nets, part(batch, slice(n, n + 1)), player).total
            ).item()
            for batch in micro_batches
            for n in range(len(batch["index"]))
        ]
    chosen = [number for number, is_bad in zip(mine, bad, strict=True) if is_bad]
    found = world.gather_objects(chosen)
    return [number for rank in found for number in rank] or [n for rank in every for n in rank]


def _describe(turn: BadTurn, chosen: Sequence[int], names: Names) -> str:
    """The fault in one line, with a few of its examples by name."""
    return (
        f"step {turn.step}: the loss of player '{turn.player}' is {turn.total}, "
        f"on training {names.listed(chosen)}"
    )


def _keep(
    folder: Path, state: Mapping[str, Any], turn: BadTurn, chosen: Sequence[int], names: Names
) -> None:
    """Write the state before the step, and which examples it was, for a person to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "state.pt")
    said = {
        "step": turn.step,
        "player": turn.player,
        "loss": str(turn.total),
        "samples": list(chosen),
        "names": [f"{names.kind} {names.of(number)}" for number in chosen],
    }
    (folder / "samples.json").write_text(json.dumps(said) + "\n")
