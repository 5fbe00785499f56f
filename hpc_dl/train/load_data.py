"""Loading of the data before the first step: rank 0 prepares and caches them, the others wait."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from hpc_dl.data import fingerprint, loading, sources
from hpc_dl.data.changes import describe_changes
from hpc_dl.data.dataset import Splits
from hpc_dl.errors import UserError
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.run import initial_weights
from hpc_dl.run.failure import PeerGone
from hpc_dl.run.layout import RunDir
from hpc_dl.train.world import World

POLL_SECONDS = 0.1
_STORE_SECONDS = 10


def load_data(run: RunDir, spec: JobSpec, plan: Plan, world: World) -> Splits:
    """Return the splits, once all ranks have theirs. Raises UserError for faults of the data."""
    turns = Turns(world)
    if world.rank > 0:
        turns.wait_for(0)
    with world.progress.of_loading():
        splits = _load(run, spec, plan, world)
    turns.finish()
    for rank in range(world.size):
        turns.wait_for(rank)
    return splits


def _load(run: RunDir, spec: JobSpec, plan: Plan, world: World) -> Splits:
    source = sources.build(spec.data, Path(plan.data_root), run.code)
    initial = initial_weights.find(run)
    if world.rank == 0:
        now = fingerprint.take(source, spec.model, plan.facts, initial)
        fingerprint.check(run, now, plan.facts)
    splits = loading.load(source, plan.workers, check=world.rank == 0)
    if splits.facts != plan.facts:
        now = fingerprint.take(source, spec.model, splits.facts, initial)
        fingerprint.check(run, now, splits.facts)
    if replace(splits.facts, contents=plan.facts.contents) != plan.facts:
        raise UserError(
            f"the data have changed since the submission: "
            f"{describe_changes(plan.facts, splits.facts)}",
            hint="Submit again; with other data it is another training: hpcdl submit --new.",
        )
    return splits


class Turns:
    """Which ranks have loaded, for the others to wait for, however long that takes.

    A collective would give up. The loss of a rank is noticed by `peers`.
    """

    def __init__(self, world: World) -> None:
        self._rank, self._progress = world.rank, world.progress
        self._host = world.address[0] if world.address else ""
        self._store = _join(*world.address) if world.address else None

    def finish(self) -> None:
        """Tell the others that this rank has loaded."""
        if self._store is not None:
            self._store.set(f"loaded/{self._rank}", "")

    def wait_for(self, rank: int) -> None:
        """Wait until a rank has loaded. Raises PeerGone where rank 0 has ended."""
        with self._progress.of_waiting():
            while not self._has_loaded(rank):
                time.sleep(POLL_SECONDS)

    def _has_loaded(self, rank: int) -> bool:
        try:
            return self._store is None or self._store.check([f"loaded/{rank}"])
        except RuntimeError:
            raise PeerGone(0, self._host) from None


def _join(host: str, port: int) -> TCPStore:
    return TCPStore(host, port, None, is_master=False, timeout=timedelta(seconds=_STORE_SECONDS))
