"""Log of the batch script, into which Slurm writes how a job ends; for sites without a database."""

from __future__ import annotations

import contextlib
import os

from hpc_dl.run.layout import DamagedFile, RunDir, open_file
from hpc_dl.scheduler.base import JobStatus
from hpc_dl.scheduler.slurm import messages

_LAST_BYTES = 2**16
_STATES = {
    "DUE TO TIME LIMIT": "TIMEOUT",
    "DUE TO NODE FAILURE": "NODE_FAIL",
    "DUE TO PREEMPTION": "PREEMPTED",
    "oom-kill": "OUT_OF_MEMORY",
    "CANCELLED AT": "CANCELLED",
}
_OUT_OF_MEMORY = ("oom-kill", "oom_kill", "exceeded memory limit")


def ending(run: RunDir, job_id: str) -> JobStatus | None:
    """Return how a job ended, by the end of its log; None if unknown."""
    with (
        contextlib.suppress(OSError, DamagedFile),
        open_file(run.logs / f"{job_id}-batch.log") as file,
    ):
        file.seek(max(0, os.fstat(file.fileno()).st_size - _LAST_BYTES))
        return parse(file.read().decode(errors="replace"))
    return None


def parse(text: str) -> JobStatus | None:
    """Return the ending in the last line of Slurm's own."""
    for line in reversed(text.splitlines()):
        if line.startswith("slurmstepd"):
            state = next((state for words, state in _STATES.items() if words in line), None)
            return messages.ending(state, "") if state else None
    return None


def ran_out_of_memory(run: RunDir, job_id: str) -> bool:
    """Return whether Slurm has killed a task of the job for the memory it took."""
    log = run.logs / f"{job_id}-batch.log"
    text = log.read_text(errors="replace") if log.is_file() else ""
    return any(words in text for words in _OUT_OF_MEMORY)
