"""What can be seen of a job from outside, whatever runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Seen:
    """How a job is, as Slurm or the process table has it."""

    phase: Literal["nowhere", "queued", "running", "over", "gone", "unknown"]
    """nowhere: never submitted; gone: nobody knows it any more; unknown: nobody could be asked."""
    reason: str = ""
    state: str = ""
    """Of a job that is over: the run's state, if its journal has not a better word."""
    where: str = ""
    certain: bool = True
    """Of a job that is gone: whether everybody who could know more has been asked."""
    telling: bool = True
    """Of a job that is over: whether more happened than that its worker stopped."""
