"""Signals only set a flag; the ranks look at it together, at a step boundary."""

from __future__ import annotations

import signal
from types import FrameType

# The ranks add up what each was asked for: far enough apart that the sums do not run into another.
TIME_LIMIT = 1
TERMINATE = 10**6
SAVE = 10**12


def stops(asked: int) -> bool:
    """Whether a signal is in the sum of what the ranks were asked for."""
    return asked % SAVE > 0


def terminates(asked: int) -> bool:
    """Whether TERM is in it."""
    return asked % SAVE >= TERMINATE


class Signals:
    """USR2: the time limit is near. TERM: pre-emption, or the user's cancellation.

    CONT, which Slurm sends along with TERM, has no effect on a process that is not stopped.
    """

    def __init__(self) -> None:
        self.seen = 0

    def install(self) -> None:
        """Replace whatever handlers there were, submitit's among them."""
        signal.signal(signal.SIGUSR2, self._time_limit)
        signal.signal(signal.SIGTERM, self._terminate)

    def _time_limit(self, _signal: int, _frame: FrameType | None) -> None:
        self.seen |= TIME_LIMIT

    def _terminate(self, _signal: int, _frame: FrameType | None) -> None:
        self.seen |= TERMINATE
