"""The signals that stop a job: Slurm's warning that the time limit is near, and SIGTERM."""

from __future__ import annotations

import signal

STOPPING = frozenset({signal.SIGUSR2, signal.SIGTERM})
"""Slurm sends them to every process of a job."""


def hold() -> None:
    """Hold them back in this thread, those that it starts, and processes that it starts, until
    `release`: one that comes while the training is imported would end the process, or be lost."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)


def release() -> None:
    """Let them come to this thread, also one that came meanwhile."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
