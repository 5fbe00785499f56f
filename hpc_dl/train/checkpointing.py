"""Save and resume a run: the checkpoints of one attempt."""

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
from hpc_dl.train.checkpoint_writer import CheckpointWriter, Saved
from hpc_dl.train.early_stopping import EarlyStopping
from hpc_dl.train.engine import Engine
from hpc_dl.train.nonfinite import NonFiniteGuard

if TYPE_CHECKING:
    from hpc_dl.train.sharded_checkpoint import ShardedCheckpoint


def _sharded_checkpoint(engine: Engine) -> ShardedCheckpoint:
    from hpc_dl.train.sharded_checkpoint import ShardedCheckpoint

    pairs = {name: (engine.unwrapped[name], it.optimizer) for name, it in engine.players.items()}
    return ShardedCheckpoint(pairs, engine.world)


class Checkpointer:
    """Saves and loads the states of engine, early stopping and guard.

    Rank 0 alone writes, except for sharded networks.
    """

    def __init__(
        self,
        run: RunDir,
        spec: JobSpec,
        engine: Engine,
        early_stopping: EarlyStopping,
        guard: NonFiniteGuard,
        journal: Journal | None,
    ) -> None:
        self.run, self.spec, self.engine = run, spec, engine
        self.early_stopping, self.guard, self.journal = early_stopping, guard, journal
        self.newest: int | None = None
        """The last step of which this attempt has loaded or written a checkpoint."""
        self.journal_size = 0
        """Of the journal at the checkpoint: later steps in it are trained again."""
        self._writer = self._open(journal) if journal else None
        self._shards = _sharded_checkpoint(engine) if engine.is_sharded else None

    def _open(self, journal: Journal) -> CheckpointWriter:
        def saved(it: Saved) -> None:
            self.newest = it.step
            path = it.path.relative_to(self.run.path).as_posix()
            seconds, held = round(it.seconds, 4), round(it.held, 4)
            journal.append(
                "saved", step=it.step, path=path, best=it.best, seconds=seconds, held=held
            )

        return CheckpointWriter(
            self.run.checkpoints,
            self.spec.checkpoint.keep,
            saved,
            _warning_in(journal),
            journal.check,
        )

    def resume(self) -> str | None:
        """Load the newest intact checkpoint and return its name; None without one.

        Raises UserError with the differences where it belongs to another job spec.
        """
        path = self._newest()
        if path is None:
            return None
        device = self.engine.world.device
        with memory.during(memory.RESUMING, device):
            return self._load(path, checkpoint.load(path, mapped=device.type != "cpu"))

    def _load(self, path: Path, state: Mapping[str, Any]) -> str:
        if differences := _differences(read_identity(state["identity"]), self.spec.training()):
            raise UserError(
                f"{path} belongs to another job spec: {'; '.join(differences)}",
                hint="Train it as a new run: hpcdl submit --new.",
            )
        self.engine.load(state["engine"])
        self.newest = self.engine.step
        if self._shards:
            self._shards.load(path / checkpoint.SHARDS)
        self.early_stopping.load(state["patience"])
        self._check_best()
        self.guard.load(state["guard"])
        self.journal_size = state["journal"]
        return path.name

    def _check_best(self) -> None:
        """Reset the best evaluation if its checkpoint is lost, for it could not be exported."""
        best = self.early_stopping.best
        if best is None or best.step is None:
            return
        there = self._writer.has_best(best.step) if self._writer else False
        if not self.engine.world.gather_objects(there)[0]:
            self.early_stopping.best = None

    def roll_back(self, step: int) -> str | None:
        """Load the newest checkpoint from before `step`, and remove the later ones.

        One that was saved right before a step that fails may be the cause of it.
        """
        self.wait()
        if self._writer:
            checkpoint.remove_from(self.run.checkpoints, step)
        return self.resume()

    def save(self, *, best: bool, may_wait: bool = False) -> None:
        """Save a checkpoint of the engine's step; the writing goes on in the background.

        One that `may_wait` keeps a distance in time to the last; not with shards, for their ranks
        write them together.
        """
        state = {
            "engine": self.engine.state(),
            "patience": self.early_stopping.state(),
            "guard": self.guard.state(),
            "identity": self.spec.training(),
            "journal": self.journal.size() if self.journal else 0,
        }
        step, shards, started = self.engine.step, None, time.perf_counter()
        if self._shards:
            unfinished = checkpoint.temporary_path(self.run.checkpoints, step)
            shards = self._shards.save(unfinished / checkpoint.SHARDS)
        if self._writer:
            held = time.perf_counter() - started
            may_wait = may_wait and shards is None
            self._writer.save(state, step, best=best, shards=shards, held=held, may_wait=may_wait)

    def wait(self) -> None:
        """Wait until nothing is being written."""
        if self._shards:
            self._shards.wait()
        if self._writer:
            self._writer.wait()

    def finish_own(self) -> None:
        """Wait for what this rank writes alone: of shards, other ranks may have ended."""
        if self._writer and not self._shards:
            self._writer.wait()

    def load_best(self) -> Weights:
        """Load the best weights on all ranks, or keep the last ones; return which they are."""
        best = self.engine.world.gather_objects(self._intact_best())[0]
        self._load_weights(best)
        averaged = bool(self.engine.ema_nets)
        if best is None:
            return Weights(self.engine.step, averaged=averaged)
        step, found = checkpoint.step_of(best), self.early_stopping.best
        if found is None or found.step not in (None, step):
            return Weights(step, best=True, averaged=averaged)
        metric = str(self.early_stopping.metric)
        return Weights(
            step, True, averaged, metric, str(self.early_stopping.goal), found.values.get(metric)
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
        nets = self.engine.evaluation_nets.values()
        world.broadcast(tensor for net in nets for tensor in net.state_dict().values())

    def _intact_best(self) -> Path | None:
        """Return the best checkpoint on rank 0; warn of a damaged one."""
        best = checkpoint.best(self.run.checkpoints) if self.journal else None
        if self.journal is None or best is None:
            return None
        fault = checkpoint.damage(best)
        if fault is not None:
            _warning_in(self.journal)(f"the best checkpoint, {best.name}, is damaged: {fault}")
        return None if fault else best

    def _newest(self) -> Path | None:
        """Return rank 0's newest intact checkpoint, on every rank."""
        found: list[Path | None] = [None]
        if self.journal is not None:
            warn = _warning_in(self.journal)
            found = [checkpoint.newest_intact(self.run.checkpoints, warn)]
        if self.engine.world.size > 1:
            dist.broadcast_object_list(found, src=0)
        return found[0]


def _warning_in(journal: Journal) -> Callable[[str], None]:
    def warn(message: str) -> None:
        sys.stderr.write(f"warning: {message}\n")  # a full disk may have no room for the journal
        journal.append("warning", message=message)

    return warn


def _differences(there: Mapping[str, Any], here: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Describe the differences of two job specs, option by option."""
    found = []
    for name in dict.fromkeys((*there, *here)):
        old, new = there.get(name), here.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _differences(old, new, f"{prefix}{name}.")
        elif old != new:
            found.append(f"{prefix}{name} is {old} there and {new} here")
    return found
