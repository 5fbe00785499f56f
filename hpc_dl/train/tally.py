"""The running sums between two reports, and what the ranks said with each turn.

A turn is judged when its verdict is known: without waiting for a GPU, that is one step later. Until
then its sums are kept apart, for a turn whose loss is not finite is not to spoil the others'.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from hpc_dl.train.world import World

Sums = Mapping[str, Tensor | float]


@dataclass(frozen=True)
class Turn:
    """One player's move."""

    step: int
    player: str
    sums: Sums
    """This rank's, by `PLAYER/NAME`."""
    total: Tensor
    """The loss over all ranks."""
    asked: Tensor
    """What the ranks were asked for meanwhile, added up; see `signals`."""


class Tally:
    """Sums of the turns that count."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sums: dict[str, Tensor | float] = {}
        self._open: list[Turn] = []

    def take(self, turn: Turn) -> None:
        """Keep a turn, to be judged later."""
        self._open.append(turn)

    def settle(self, *, wait: bool) -> tuple[int, list[Turn]]:
        """Judge the turns: what was asked for in them, and those whose loss is not finite.

        The newest step's are left open unless it costs nothing or `wait` is true. The same on
        every rank.
        """
        newest = self._open[-1].step if self._open else 0
        late = self.world.device.type == "cuda" and not wait
        known = [turn for turn in self._open if not late or turn.step < newest]
        self._open = self._open[len(known) :]
        bad = [turn for turn in known if not math.isfinite(turn.total.item())]
        for turn in known:
            if turn not in bad:
                for key, value in turn.sums.items():
                    self.sums[key] = self.sums[key] + value if key in self.sums else value
        return sum(int(turn.asked) for turn in known), bad

    def means(self) -> dict[str, dict[str, float]]:
        """Means over all ranks by player and name; the sums begin anew."""
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
        """Every rank's sums; all ranks have to call this together, with every turn settled."""
        names = sorted(self.sums)
        rows = self.world.gather([self.sums[name] for name in names])
        return [dict(zip(names, row, strict=True)) for row in rows]

    def load(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Take this rank's sums; on another world size rank 0 takes them all."""
        self._open = []
        if len(rows) == self.world.size:
            self.sums = dict(rows[self.world.rank])
            return
        total = {name: sum(row[name] for row in rows) for name in rows[0]}
        self.sums = dict(total if self.world.rank == 0 else dict.fromkeys(total, 0.0))
