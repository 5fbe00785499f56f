"""Stop and save requests: a signal on any rank, or rank 0's clock, and all ranks act on it.

A handler only sets a flag. Each rank's requests are a number, and the numbers are added up over the
ranks in the all-reduce of the loss (see `world.Requests`), so that all ranks stop at the same step.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType

from hpc_dl.jobspec import units
from hpc_dl.planning.plan import Plan
from hpc_dl.run import stop_signals

# Far enough apart that a sum over the ranks does not run from one into the next.
TIME_LIMIT = 1
TERMINATE = 10**6
SAVE = 10**12
LOOK_SECONDS = 2.0
"""How often rank 0 looks for the file that asks for a pause."""


def is_stop(requests: int) -> bool:
    """Return whether any rank has received a signal."""
    return requests % SAVE > 0


def is_termination(requests: int) -> bool:
    """Return whether any rank has received SIGTERM."""
    return requests % SAVE >= TERMINATE


class Signals:
    """Handlers of USR2 (the time limit is near) and TERM (pre-emption, or the user's cancellation).

    CONT, which Slurm sends along with TERM, has no effect on a process that is not stopped.
    """

    def __init__(self) -> None:
        self.received = 0

    def install(self) -> None:
        """Replace all handlers of these signals, among them submitit's; they are held no longer."""
        signal.signal(signal.SIGUSR2, self._on_time_limit)
        signal.signal(signal.SIGTERM, self._on_terminate)
        stop_signals.release()

    def _on_time_limit(self, _signal: int, _frame: FrameType | None) -> None:
        self.received |= TIME_LIMIT

    def _on_terminate(self, _signal: int, _frame: FrameType | None) -> None:
        self.received |= TERMINATE


class CheckpointSchedule:
    """Schedule of checkpoints: by steps, epochs or minutes; at the end; after the best epoch."""

    def __init__(self, every: str, plan: Plan) -> None:
        self.every = units.every(every)
        self.plan = plan
        self.improved = False
        """True if there was a best epoch since the last save."""
        self._last_save = time.monotonic()

    def is_due(self, step: int) -> bool:
        """Return whether to save after `step`; no clock is asked, so all ranks decide alike."""
        epoch, in_epoch = divmod(step, self.plan.steps_per_epoch)
        if step == self.plan.steps or (in_epoch == 0 and self.improved):
            return True
        if self.every.unit == "steps":
            return step % int(self.every.count) == 0
        return self.every.unit == "epoch" and in_epoch == 0 and epoch % int(self.every.count) == 0

    def may_wait(self, step: int) -> bool:
        """Return whether a save after `step` may keep a distance in time to the last: where nothing
        but the end of an epoch asks for it."""
        of_steps = self.every.unit == "steps" and step % int(self.every.count) == 0
        return step % self.plan.steps_per_epoch == 0 and step != self.plan.steps and not of_steps

    def is_time(self) -> bool:
        """Return whether the minutes are over; ranks' clocks differ, so only rank 0 asks."""
        return self.every.unit == "min" and time.monotonic() - self._last_save > (
            60 * self.every.count
        )

    def restart(self) -> None:
        """Start the interval again after a save."""
        self.improved = False
        self._last_save = time.monotonic()


class Control:
    """This rank's requests: signals, and on rank 0 the clock of the checkpoint schedule, and the
    file by which a sweep asks for a pause."""

    def __init__(
        self, signals: Signals, schedule: CheckpointSchedule, pause: Path, *, leads: bool
    ) -> None:
        self.signals, self.schedule, self.pause, self.leads = signals, schedule, pause, leads
        self._next_look = 0.0

    def requests(self) -> int:
        """Return what this rank asks of all ranks."""
        if not self.leads:
            return self.signals.received
        if self._shall_pause():
            self.signals.received |= TERMINATE
        return self.signals.received + (SAVE if self.schedule.is_time() else 0)

    def _shall_pause(self) -> bool:
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + LOOK_SECONDS
        return self.pause.exists()
