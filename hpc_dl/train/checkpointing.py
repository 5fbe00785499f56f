"""Where a run stands, saved and taken up again: the checkpoints of one attempt."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch.distributed as dist

from hpc_dl.errors import UserError
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.load import read_identity
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.weights import Weights
from hpc_dl.train import checkpoint, memory
from hpc_dl.train.checkpoint import Checkpoints, Saved
from hpc_dl.train.early_stopping import Patience
from hpc_dl.train.engine import Engine
from hpc_dl.train.nonfinite import Guard

if TYPE_CHECKING:
    from hpc_dl.train.sharding import Shards


def _shards_of(engine: Engine) -> Shards:
    from hpc_dl.train.sharding import Shards

    pairs = {name: (engine.bare[name], it.optimizer) for name, it in engine.players.items()}
    return Shards(pairs, engine.world)


class Saving:
    """Saves and loads the engine, the patience and the guard.

    Rank 0 alone writes, but for the networks that are divided over the ranks.
    """

    def __init__(
        self,
        run: RunDir,
        spec: JobSpec,
        engine: Engine,
        patience: Patience,
        guard: Guard,
        journal: Journal | None,
    ) -> None:
        self.run, self.spec, self.engine = run, spec, engine
        self.patience, self.guard, self.journal = patience, guard, journal
        self.newest: int | None = None
        """The last step whose checkpoint is safely there, of this attempt."""
        self.cut = 0
        """Where in the journal the steps begin that are trained again."""
        self._checkpoints = self._open(journal) if journal else None
        self._shards = _shards_of(engine) if engine.sharded else None

    def _open(self, journal: Journal) -> Checkpoints:
        def saved(it: Saved) -> None:
            self.newest = it.step
            path = it.path.relative_to(self.run.path).as_posix()
            seconds, held = round(it.seconds, 4), round(it.held, 4)
            journal.append(
                "saved", step=it.step, path=path, best=it.best, seconds=seconds, held=held
            )

        return Checkpoints(
            self.run.checkpoints,
            self.spec.checkpoint.keep,
            saved,
            _warning_in(journal),
            journal.check,
        )

    def resume(self) -> str | None:
        """Stand where the newest whole checkpoint was taken; its name, or None without one.

        Raises UserError where it belongs to another spec, and says in what they differ.
        """
        path = self._agree()
        if path is None:
            return None
        device = self.engine.world.device
        with memory.during(memory.RESUMING, device):
            return self._take_up(path, checkpoint.load(path, mapped=device.type != "cpu"))

    def _take_up(self, path: Path, state: Mapping[str, Any]) -> str:
        if differences := _differences(read_identity(state["identity"]), self.spec.training()):
            raise UserError(
                f"{path} belongs to another spec: {'; '.join(differences)}",
                hint="Train it as a new run: hpcdl submit --new.",
            )
        self.engine.load(state["engine"])
        if self._shards:
            self._shards.load(path / checkpoint.SHARDS)
        self.patience.load(state["patience"])
        self._look_for_best()
        self.guard.load(state["guard"])
        self.cut = state["journal"]
        return path.name

    def _look_for_best(self) -> None:
        """Forget the best evaluation where its checkpoint is lost, for it could not be exported."""
        best = self.patience.best
        if best is None or best.step is None:
            return
        there = self._checkpoints.has_best(best.step) if self._checkpoints else False
        if not self.engine.world.gather_objects(there)[0]:
            self.patience.best = None

    def go_back(self, step: int) -> str | None:
        """Stand at the newest checkpoint from before `step`, and forget the later ones.

        One that was taken right before a step that fails may be the cause of it.
        """
        self.wait()
        if self._checkpoints:
            checkpoint.abandon(self.run.checkpoints, step)
        return self.resume()

    def save(self, *, best: bool) -> None:
        """Save where the engine stands; the writing goes on in the background."""
        state = {
            "engine": self.engine.state(),
            "patience": self.patience.state(),
            "guard": self.guard.state(),
            "identity": self.spec.training(),
            "journal": self.journal.size() if self.journal else 0,
        }
        step, shards, started = self.engine.step, None, time.perf_counter()
        if self._shards:
            unfinished = checkpoint.temporary(self.run.checkpoints, step)
            shards = self._shards.save(unfinished / checkpoint.SHARDS)
        if self._checkpoints:
            held = time.perf_counter() - started
            self._checkpoints.save(state, step, best=best, shards=shards, held=held)

    def wait(self) -> None:
        """Return once nothing is being written any more."""
        if self._shards:
            self._shards.wait()
        if self._checkpoints:
            self._checkpoints.wait()

    def load_best(self) -> Weights:
        """Give all ranks' networks the best weights, or leave the last ones; which they are."""
        best = self.engine.world.gather_objects(self._whole_best())[0]
        self._load_weights(best)
        averaged = bool(self.engine.averages)
        if best is None:
            return Weights(self.engine.step, averaged=averaged)
        step, found = checkpoint.step_of(best), self.patience.best
        if found is None or found.step not in (None, step):
            return Weights(step, best=True, averaged=averaged)
        metric = str(self.patience.metric)
        return Weights(
            step, True, averaged, metric, str(self.patience.goal), found.values.get(metric)
        )

    def _load_weights(self, best: Path | None) -> None:
        world = self.engine.world
        if best is not None and self._shards:
            self._shards.load_weights(best / checkpoint.SHARDS)
        if best is None or self._shards:
            return
        if world.rank == 0:
            with memory.during(memory.RESUMING, world.device):
                self.engine.load_networks(checkpoint.load(best, mapped=True)["engine"])
        nets = self.engine.best_nets.values()
        world.broadcast(tensor for net in nets for tensor in net.state_dict().values())

    def _whole_best(self) -> Path | None:
        """On rank 0, the best checkpoint; a damaged one is named, and the last weights stay."""
        best = checkpoint.best(self.run.checkpoints) if self.journal else None
        if self.journal is None or best is None:
            return None
        fault = checkpoint.damage(best)
        if fault is not None:
            _warning_in(self.journal)(f"the best checkpoint, {best.name}, is damaged: {fault}")
        return None if fault else best

    def _agree(self) -> Path | None:
        found: list[Path | None] = [None]
        if self.journal is not None:
            warn = _warning_in(self.journal)
            found = [checkpoint.newest_whole(self.run.checkpoints, warn)]
        if self.engine.world.size > 1:
            dist.broadcast_object_list(found, src=0)
        return found[0]


def _warning_in(journal: Journal) -> Callable[[str], None]:
    def warn(message: str) -> None:
        sys.stderr.write(f"warning: {message}\n")  # a full disk may have no room for the journal
        journal.append("warning", message=message)

    return warn


def _differences(there: Mapping[str, Any], here: Mapping[str, Any], prefix: str = "") -> list[str]:
    """In what two specs differ, option by option."""
    found = []
    for name in dict.fromkeys((*there, *here)):
        old, new = there.get(name), here.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _differences(old, new, f"{prefix}{name}.")
        elif old != new:
            found.append(f"{prefix}{name} is {old} there and {new} here")
    return found
