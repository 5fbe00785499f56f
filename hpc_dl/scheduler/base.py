"""What can be seen of a job from outside, whatever runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class JobStatus:
    """How a job is, as Slurm or the process table has it."""

    phase: Literal["nowhere", "queued", "running", "over", "gone", "unknown", "unanswered"]
    """nowhere: never submitted; gone: ended, and nobody knows how; unknown: nobody could be asked;
    unanswered: submitted, and not known whether the scheduler has it."""
    reason: str = ""
    state: str = ""
    """Of a job that is over: the run's state, if its journal has not a better word."""
    where: str = ""
    certain: bool = True
    """Of a job that is gone: whether everybody who could know how it ended has been asked."""
    ending: bool = False
    """Of a running job: whether it has its end behind it, and is being cleaned up."""
    job_id: str = ""
    """What is known now of a job whose number never came."""
    telling: bool = True
    """Of a job that is over: whether more happened than that its worker stopped."""
