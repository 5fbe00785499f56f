"""Sums of losses and metrics between two reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

from hpc_dl.train.world import World
from hpc_dl.zoo.contract import Loss


class MetricAccumulator:
    """This rank's sums by `PLAYER/NAME`, and means over all ranks."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sums: dict[str, Tensor | float] = {}

    def add(self, player: str, losses: Iterable[Loss]) -> None:
        """Add the losses of a player's update, and the quantities logged with them."""
        for loss in losses:
            for key, value in (("loss", loss.total), *loss.logs.items(), ("count", loss.count)):
                name = f"{player}/{key}"
                self.sums[name] = self.sums[name] + value if name in self.sums else value

    def means(self) -> dict[str, dict[str, float]]:
        """Return means over all ranks by player and name, and reset the sums."""
        names = sorted(self.sums)
        values = self.world.sums([self.sums[name] for name in names])
        self.sums = {}
        found: dict[str, dict[str, float]] = {}
        for name, value in zip(names, values, strict=True):
            player, _, quantity = name.partition("/")
            found.setdefault(player, {})[quantity] = value
        for sums in found.values():
            count = sums.pop("count")
            sums.update({name: value / count for name, value in sums.items()})
        return found

    def state(self) -> list[dict[str, float]]:
        """Return every rank's sums; all ranks call this together."""
        names = sorted(self.sums)
        rows = self.world.gather([self.sums[name] for name in names])
        return [dict(zip(names, row, strict=True)) for row in rows]

    def load(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Load this rank's sums; on another world size rank 0 loads them all."""
        if len(rows) == self.world.size:
            self.sums = dict(rows[self.world.rank])
            return
        total = {name: sum(row[name] for row in rows) for name in rows[0]}
        self.sums = dict(total if self.world.rank == 0 else dict.fromkeys(total, 0.0))
