"""What the process table says of a local job."""

from __future__ import annotations

import contextlib
import os
import signal

from hpc_dl.run import lease, process_identity
from hpc_dl.run.layout import RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler.base import JobStatus


def look(run: RunDir, submission: Submission) -> JobStatus:
    """Whether anything of the job is alive; only its own machine, or container, can tell."""
    here = os.uname().nodename
    if submission.host not in ("", here):
        return JobStatus("unknown", f"runs on {submission.host}; ask there", where=submission.host)
    if submission.machine not in ("", process_identity.identity()):
        return _from_before(run, submission)
    if members(run, submission):
        return JobStatus("running", where=here)
    if not submission.host:
        return JobStatus("unknown", "nobody knows on which machine it was started")
    return JobStatus("gone", where=here)


def _from_before(run: RunDir, submission: Submission) -> JobStatus:
    """What is said of a job of a machine of this name: its last boot, a container, or another."""
    if lease.is_renewed(run):
        why = f"runs on another machine, or in a container, called {submission.host}; ask there"
        return JobStatus("unknown", why, where=submission.host)
    return JobStatus("gone", f"{submission.host} was restarted", where=submission.host)


def members(run: RunDir, submission: Submission) -> list[int]:
    """The controller and the ranks of a local job that are alive.

    They share a process group, whose number may be another's by now, and name submitit's folder of
    the run on their command lines. The tracking, which may outlast them, does not. Where the group
    is not known, the folder has to be this very one.
    """
    import psutil

    end = f"/{run.id}/submitit"  # what is above it may go by several names
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if submission.group in (None, os.getpgid(pid)):
                folders = [word for word in psutil.Process(pid).cmdline() if word.endswith(end)]
                if submission.group is None:
                    folders = [it for it in folders if (run.path / "submitit").samefile(it)]
                found += [pid] if folders else []
    return found


def ask(run: RunDir, submission: Submission) -> None:
    """Ask the ranks to stop: submitit's controller passes SIGTERM on to them, and to no others."""
    controller = int(submission.job_id)
    if controller in members(run, submission):
        os.kill(controller, signal.SIGTERM)


def kill(run: RunDir, submission: Submission) -> None:
    """End all processes of the job."""
    alive = members(run, submission)
    if submission.group and alive:
        os.killpg(submission.group, signal.SIGKILL)
        return
    for pid in alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
