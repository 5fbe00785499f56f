"""Turns of contenders, and how they compare with the loop by hand.

Each turn is compared with the turns by hand right before and after it: what a machine slowly gains
or loses in speed meanwhile cancels.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.contender import Contender, Round
from benchmarks.workloads import HAND, HPCDL


@dataclass(frozen=True)
class Turn:
    """What a contender has taken, and the loop by hand before and after it."""

    own: Round
    before: Round
    after: Round

    @property
    def ratio(self) -> float:
        """How many times as long a step has taken as one by hand."""
        return 2 * self.own.pace / (self.before.pace + self.after.pace)


def take(contenders: Mapping[str, Contender], rounds: int, steps: int) -> dict[str, list[Turn]]:
    """Return the turns of each contender: in a round two of hpcdl, and one of every other, with one
    by hand between any two, which are compared with each other, too."""
    found: dict[str, list[Turn]] = {name: [] for name in contenders}
    others = [name for name in contenders if name not in (HAND, HPCDL)]
    hand, warm = contenders[HAND], max(1, steps // 10)
    by_hand = [hand.round(warm, steps)]
    for name in (HPCDL, *others, HPCDL) * rounds:
        own = contenders[name].round(warm, steps)
        by_hand.append(hand.round(warm, steps))
        found[name].append(Turn(own, *by_hand[-2:]))
    found[HAND] = by_hand_alone(by_hand)
    return found


def by_hand_alone(rounds: Sequence[Round]) -> list[Turn]:
    """Return the turns by hand, compared with those before and after: how far from 1 these are is
    what the comparison cannot tell."""
    around = zip(rounds, rounds[1:], rounds[2:], strict=False)
    return [Turn(own, before, after) for before, own, after in around]


def summary(turns: Sequence[Turn]) -> dict[str, Any]:
    """Return the medians and quartiles of a contender's turns as JSON has them."""
    paces, ratios = [it.own.pace for it in turns], [it.ratio for it in turns]
    low, median, high = statistics.quantiles(ratios, n=4)
    found = {
        "step_us": round(statistics.median(paces) * 1e6, 1),
        "ratio": round(median, 3),
        "quartiles": [round(low, 3), round(high, 3)],
        "turns_us": [round(it * 1e6, 1) for it in paces],
    }
    if waited := [it.own.waited / it.own.seconds for it in turns if it.own.waited]:
        found["waiting"] = round(statistics.median(waited), 3)
    return found
