"""GPUs that idle, and what their ranks are likely to wait for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hpc_dl.errors import first_few
from hpc_dl.jobspec import units
from hpc_dl.usage import usage

IDLE_PERCENT = 1.0
"""A GPU that is used no more than so idles. One that waits for others inside NCCL does not: it is
the late rank's GPU that idles then."""
_DOING = {
    usage.START: "loading data, or building the network",
    usage.DATA: "waiting for data",
    usage.EVALUATION: "evaluating, or drawing pictures",
    usage.CHECKPOINT: "saving a checkpoint",
    usage.TEST: "testing and exporting",
}
_SHOWN = 4


@dataclass(frozen=True)
class RankState:
    """What a rank is doing, and since when its GPU idles."""

    rank: int
    host: str
    phase: str
    at: float
    """The step that it has reached."""
    idle: float | None = None
    """Seconds; None where the GPU is used, or nothing is known of it."""


class IdleGuard:
    """Watches the GPUs of all ranks; `message` names those that have idled for `limit` seconds."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self.message = ""

    def update(self, ranks: Sequence[RankState]) -> bool:
        """Take what the ranks do now; return whether GPUs have begun to idle, or idle no more."""
        before, self.message = self.message, describe(ranks, self._limit)
        return bool(before) != bool(self.message)


def describe(ranks: Sequence[RankState], limit: float) -> str:
    """Describe GPUs that have idled for `limit` seconds, with the likely reasons; "" if none."""
    causes: dict[str, list[RankState]] = {}
    for rank in ranks:
        if rank.idle is not None and rank.idle >= limit:
            causes.setdefault(_cause(rank, ranks), []).append(rank)
    return "; ".join(_sentence(idle, cause) for cause, idle in causes.items())


def _cause(rank: RankState, ranks: Sequence[RankState]) -> str:
    """Say what a rank is doing, or what the rank that is furthest behind does meanwhile."""
    late = min(ranks, key=lambda it: it.at)
    if rank.phase == usage.TRAINING and late.at < rank.at:
        return f"rank {late.rank} on {late.host} is {_doing(late)}"
    return _doing(rank)


def _doing(rank: RankState) -> str:
    return _DOING.get(rank.phase, "in a training step that keeps no GPU busy")


def _sentence(idle: Sequence[RankState], cause: str) -> str:
    since = units.roughly(min(it.idle or 0.0 for it in idle))
    if len(idle) > 1:
        numbers = first_few((it.rank for it in idle), _SHOWN)
        return f"the GPUs of ranks {numbers} have idled for {since}: {cause}"
    return f"the GPU of rank {idle[0].rank} on {idle[0].host} has idled for {since}: {cause}"
