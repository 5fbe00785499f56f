"""A loss that is not finite: find the examples, keep the state, then stop, skip or roll back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from hpc_dl.data.names import Names
from hpc_dl.data.sampler import Batches
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.run.layout import RunDir
from hpc_dl.train.best_effort import describe_disk_error, is_disk_error
from hpc_dl.train.engine import Engine, NonFiniteUpdate
from hpc_dl.train.evaluate import evaluating
from hpc_dl.zoo.contract import Batch, take

ROLLBACK_FACTOR = 0.5
"""Multiplies the learning rate at each roll-back."""
MAX_ROLLBACKS, MAX_SKIPPED = 5, 10
"""Roll-backs, and skipped steps in a row, after which the training stops."""

Action = Literal["stop", "skip", "rollback"]


class NonFiniteGuard:
    """Decides what follows a loss that is not finite: the same on every rank and after a resume."""

    def __init__(
        self, policy: Action, run: RunDir, engine: Engine, batches: Batches, names: Names
    ) -> None:
        self.policy, self.run, self.engine, self.batches = policy, run, engine, batches
        self.names = names
        self.in_a_row = 0
        self.last = -1

    def handle(
        self,
        update: NonFiniteUpdate,
        roll_back: Callable[[int], str | None],
        warn: Callable[[str], None],
    ) -> bool:
        """Keep the state, then skip the step or roll back; return whether it rolled back.

        `roll_back` loads a checkpoint from before a step, and returns its name. Raises UserError
        where the training has to stop. All ranks call this together.
        """
        what = self._examine(update)
        match self._decide(update.step):
            case "skip":
                warn(f"{what}; the step is skipped")
                return False
            case "rollback":
                factor = self.engine.rate_factor * ROLLBACK_FACTOR
                name = roll_back(update.step)
                if name is not None:
                    self.engine.rate_factor = factor
                    warn(f"{what}; rolled back to {name}, at {factor:g} of the learning rate")
                    return True
        raise UserError(
            f"{what}; stopped",
            hint="Look at these examples, lower the learning rate or clip the gradient; "
            "train.on_nonfinite can be `skip` or `rollback`.",
            exit_code=EXIT_FAILED,
        )

    def _examine(self, update: NonFiniteUpdate) -> str:
        """Keep the state and describe the fault with its examples."""
        engine = self.engine
        chosen = samples(engine, self.batches.of_step(update.step), update.player)
        folder, state = self.run.nonfinite(update.step), engine.state() | {"step": update.step}
        if engine.is_sharded:
            full = {name: net.state_dict() for name, net in engine.full_nets().items()}
            state |= {"networks": full}
        kept = ""
        if engine.world.rank == 0:
            try:
                _keep(folder, state, update, chosen, self.names)
                kept = f"; state kept in {folder}"
            except (OSError, RuntimeError) as error:
                if not is_disk_error(error):
                    raise
                kept = f"; its state could not be kept: {describe_disk_error(error)}"
        return _describe(update, chosen, self.names) + kept

    def _decide(self, step: int) -> Action:
        self.in_a_row = self.in_a_row + 1 if step == self.last + 1 else 1
        self.last = step
        if self.policy == "skip" and self.in_a_row > MAX_SKIPPED:
            return "stop"
        if self.policy == "rollback" and self.engine.rate_factor <= ROLLBACK_FACTOR**MAX_ROLLBACKS:
            return "stop"
        return self.policy

    def state(self) -> dict[str, int]:
        """Return the state for a checkpoint."""
        return {"in_a_row": self.in_a_row, "last": self.last}

    def load(self, state: Mapping[str, int]) -> None:
        """Load a checkpoint's state."""
        self.in_a_row, self.last = state["in_a_row"], state["last"]


def samples(engine: Engine, micro_batches: Sequence[Batch], player: str) -> list[int]:
    """Return the numbers of the samples, on all ranks, whose own loss is not finite.

    All of the batch if there is no such sample. All ranks call this together.
    """
    world, nets = engine.world, engine.unwrapped
    mine = [int(number) for batch in micro_batches for number in batch["index"]]
    every = world.gather_objects(mine)
    if engine.is_sharded:  # FSDP computes on all ranks together, or not at all
        return [number for rank in every for number in rank]
    with evaluating(nets):  # with gradients, for a loss may use them
        bad = [
            not torch.isfinite(
                engine.architecture.loss(nets, take(batch, slice(n, n + 1)), player).total
            ).item()
            for batch in micro_batches
            for n in range(len(batch["index"]))
        ]
    chosen = [number for number, is_bad in zip(mine, bad, strict=True) if is_bad]
    found = world.gather_objects(chosen)
    return [number for rank in found for number in rank] or [n for rank in every for n in rank]


def _describe(update: NonFiniteUpdate, chosen: Sequence[int], names: Names) -> str:
    """Describe the fault in one line, with a few of its examples by name."""
    return (
        f"step {update.step}: the loss of player '{update.player}' is {update.total}, "
        f"on training {names.listed(chosen)}"
    )


def _keep(
    folder: Path,
    state: Mapping[str, Any],
    update: NonFiniteUpdate,
    chosen: Sequence[int],
    names: Names,
) -> None:
    """Write the state before the step, and which examples it was, for a person to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "state.pt")
    found = {
        "step": update.step,
        "player": update.player,
        "loss": str(update.total),
        "samples": list(chosen),
        "names": [f"{names.kind} {names.of(number)}" for number in chosen],
    }
    (folder / "samples.json").write_text(json.dumps(found) + "\n")
