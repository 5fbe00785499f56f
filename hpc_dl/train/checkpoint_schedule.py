"""After which steps a checkpoint is due."""

from __future__ import annotations

import time

from hpc_dl.jobspec import units
from hpc_dl.planning.plan import Plan


class Rhythm:
    """Every so many epochs, steps or minutes; at the end; and when an epoch was the best so far."""

    def __init__(self, every: str, plan: Plan) -> None:
        self.every = units.every(every)
        self.plan = plan
        self.improved = False
        """Whether there was a best epoch since the last save."""
        self._last = time.monotonic()

    def is_due(self, step: int) -> bool:
        """Whether to save after `step`; the same on all ranks, which is why no clock is asked."""
        epoch, in_epoch = divmod(step, self.plan.steps_per_epoch)
        if step == self.plan.steps or (in_epoch == 0 and self.improved):
            return True
        if self.every.unit == "steps":
            return step % int(self.every.count) == 0
        return self.every.unit == "epoch" and in_epoch == 0 and epoch % int(self.every.count) == 0

    def by_the_clock(self) -> bool:
        """Whether the minutes are over; for rank 0 alone to ask, and to tell the others."""
        return self.every.unit == "min" and time.monotonic() - self._last > 60 * self.every.count

    def saved(self) -> None:
        """Begin to count anew."""
        self.improved = False
        self._last = time.monotonic()
