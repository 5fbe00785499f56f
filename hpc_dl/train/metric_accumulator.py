"""Sums of losses and metrics between two reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Loss

Sums = dict[str, Tensor | float]


class MetricAccumulator:
    """This rank's sums by player and name, and means over all ranks."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sums: dict[str, Sums] = {}

    def add(self, player: str, losses: Iterable[Loss]) -> None:
        """Add the losses of a player's update, and the quantities logged with them."""
        sums = self.sums.setdefault(player, {})
        for loss in losses:
            _add(sums, "loss", loss.total.detach())
            for name, value in loss.logs.items():
                _add(sums, name, value.detach())
            _add(sums, "count", loss.count)

    def means(self) -> dict[str, dict[str, float]]:
        """Return means over all ranks by player and name, and reset the sums."""
        mine = self._by_path()
        totals = self.world.sums(list(mine.values()))
        self.sums = {}
        found = _by_player(dict(zip(mine, totals, strict=True)))
        for sums in found.values():
            count = sums.pop("count")
            sums.update({name: value / count for name, value in sums.items()})
        return found

    def state(self) -> list[dict[str, float]]:
        """Return every rank's sums; all ranks call this together."""
        mine = self._by_path()
        rows = self.world.gather(list(mine.values()))
        return [dict(zip(mine, row, strict=True)) for row in rows]

    def load(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Load this rank's sums; on another world size rank 0 loads them all."""
        if len(rows) == self.world.size:
            self.sums = _by_player(rows[self.world.rank])
            return
        total = {name: sum(row[name] for row in rows) for name in rows[0]}
        self.sums = _by_player(total if self.world.rank == 0 else dict.fromkeys(total, 0.0))

    def _by_path(self) -> Sums:
        """Return the sums by `PLAYER/NAME`, in the same order on all ranks."""
        paths = {f"{it}/{name}": x for it, sums in self.sums.items() for name, x in sums.items()}
        return dict(sorted(paths.items()))


def _add(sums: Sums, name: str, value: Tensor | float) -> None:
    sums[name] = sums[name] + value if name in sums else value


def _by_player(paths: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path, value in paths.items():
        player, _, name = path.partition("/")
        found.setdefault(player, {})[name] = value
    return found
