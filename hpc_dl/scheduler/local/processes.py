"""Processes of a local job: which are alive, and how they are ended."""

from __future__ import annotations

import contextlib
import os
import signal

from hpc_dl.errors import UserError
from hpc_dl.run import journal, lease, process_identity
from hpc_dl.run.layout import RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.run.waiting import wait_until
from hpc_dl.scheduler.base import JobStatus

GRACE_SECONDS = 10.0
"""How long a job has to save and stop before it is killed."""


def status(run: RunDir, submission: Submission) -> JobStatus:
    """Return the status of a job, which only its own machine, or container, knows."""
    here = os.uname().nodename
    if submission.host not in ("", here):
        return JobStatus("unknown", f"runs on {submission.host}; ask there", where=submission.host)
    if submission.machine not in ("", process_identity.identity()):
        return _before_restart(run, submission)
    if members(run, submission):
        return JobStatus("running", where=here)
    if not submission.host:
        return JobStatus("unknown", "nobody knows on which machine it was started")
    if not submission.job_id:
        return JobStatus("unconfirmed", "not known yet whether it was started", where=here)
    return JobStatus("lost", where=here)


def _before_restart(run: RunDir, submission: Submission) -> JobStatus:
    """Return the status of a job of this machine's last boot, of a container, or of a namesake."""
    if lease.is_renewed(run):
        why = f"runs on another machine, or in a container, called {submission.host}; ask there"
        return JobStatus("unknown", why, where=submission.host)
    return JobStatus("lost", f"{submission.host} was restarted", where=submission.host)


def members(run: RunDir, submission: Submission) -> list[int]:
    """Return the launcher, the controller and the ranks of a local job that are alive.

    They share a process group, whose number may be another's by now, and name submitit's folder of
    the run, or the launcher the mark, on their command lines. The tracking, which may outlast them,
    does not. Where the group is not known, the folder has to be this very one.
    """
    import psutil

    end = f"/{run.id}/submitit"  # what is above it may go by several names
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if submission.group in (None, os.getpgid(pid)):
                command = psutil.Process(pid).cmdline()
                folders = [word for word in command if word.endswith(end)]
                if submission.group is None:
                    folders = [it for it in folders if (run.path / "submitit").samefile(it)]
                is_launcher = bool(submission.mark) and submission.mark in command
                found += [pid] if folders or is_launcher else []
    return found


def cancel(run: RunDir, submission: Submission) -> None:
    """End a job: its ranks are asked to stop, and killed if they do not.

    Raises UserError where it is another machine's.
    """
    found = status(run, submission)
    if found.phase == "unknown":
        raise UserError(
            f"{run.id} {found.reason}; this is {os.uname().nodename}",
            hint=f"Type it there: hpcdl cancel {run.id}",
        )
    for _ in range(round(GRACE_SECONDS)):
        _terminate(run, submission)  # repeatedly: a rank that is still starting does not listen
        if wait_until(lambda: has_ended(run, submission), 1.0):
            return
    _kill(run, submission)


def has_ended(run: RunDir, submission: Submission) -> bool:
    """Return whether the job has ended, by its journal or its processes."""
    return journal.last_state(run.journal)[0] in journal.ENDED or not members(run, submission)


def _terminate(run: RunDir, submission: Submission) -> None:
    """Ask the ranks to stop: submitit's controller passes SIGTERM on to them, and to no others."""
    controller = int(submission.job_id)
    if controller in members(run, submission):
        os.kill(controller, signal.SIGTERM)


def _kill(run: RunDir, submission: Submission) -> None:
    """End all processes of the job."""
    alive = members(run, submission)
    if submission.group and alive:
        os.killpg(submission.group, signal.SIGKILL)
        return
    for pid in alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
