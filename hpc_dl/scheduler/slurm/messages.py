"""Messages for Slurm's states and reasons."""

from __future__ import annotations

import re
import signal

from hpc_dl.scheduler.base import OUT_OF_MEMORY, RESUBMIT, JobStatus
from hpc_dl.scheduler.slurm.job_records import Record

_RELEASE = "`scontrol release {job}` lets it go, `hpcdl cancel` ends it"
_HELD = {
    "RESV_DEL_HOLD": f"held, for its reservation is gone; {_RELEASE}",
    "REQUEUE_HOLD": f"requeued and held; {_RELEASE}",
    "SPECIAL_EXIT": f"requeued and held, for it ended in a special way; {_RELEASE}",
}
"""Messages for jobs that wait for their user or an administrator."""
_WAITING = {
    "Priority": "waiting for jobs of a higher priority",
    "Resources": "waiting for a free node",
    "Dependency": "waiting for another job to end",
    "BeginTime": "waiting for its begin time",
    "Cleaning": "waiting for its last attempt to be cleaned up",
    "JobHeldUser": f"held; {_RELEASE}",
    "JobHeldAdmin": "held by an administrator, who has to release it",
    "Reservation": "waiting for its reservation",
    "Licenses": "waiting for a licence",
    "PartitionDown": "its partition is down",
    "PartitionInactive": "its partition is not active",
    "PartitionTimeLimit": "asks for more time than its partition allows",
    "PartitionNodeLimit": "asks for more nodes than its partition has",
    "JobArrayTaskLimit": "waiting for other tasks of its array",
}
_WAITING_BEGINNINGS = {
    "ReqNodeNotAvail": "the nodes it needs are down or reserved",
    "Assoc": "a limit of the account is reached",
    "QOS": "a limit of the quality of service is reached",
    "MaxJobs": "a limit on the number of jobs is reached",
    "launch failed": "could not be started; an administrator has to release it",
}
_NEVER_STARTED = {
    "DependencyNeverSatisfied": f"not started: a job that it waited for has failed; {RESUBMIT}",
    "Dependency": "cancelled as it waited for another job, or because that has failed",
}
"""Messages for jobs that were cancelled before they began; sacct does not tell by whom."""
_PAUSED = {"SUSPENDED": "suspended by Slurm", "STOPPED": "stopped by a signal of Slurm's"}
"""Messages for jobs that have their nodes and do not run on them."""
_KILLS = (signal.SIGKILL, signal.SIGTERM)
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)
"""Signals of a crash; the log of the rank has more."""


def status(record: Record) -> JobStatus:
    """Return the status of a job that Slurm has a record of."""
    where = record.nodes or record.partition
    match record.phase:
        case "ended":
            if "CANCELLED" in record.state and record.reason in _NEVER_STARTED:
                return JobStatus("ended", _NEVER_STARTED[record.reason], "cancelled")
            return ending(record.state, record.nodes, record.exit_code)
        case "queued":
            return JobStatus("queued", _why_it_waits(record), where=where)
        case "running" | "completing":
            paused = _PAUSED.get(record.state, "")
            return JobStatus("running", paused, where=where, is_ending=record.phase == "completing")
        case "revoked":
            return JobStatus("unknown", "another cluster of the federation has the job (REVOKED)")
        case _:
            reason = f"Slurm says {record.state}"
            return JobStatus("running" if record.nodes else "queued", reason, where=where)


def _why_it_waits(record: Record) -> str:
    held = next((message for state, message in _HELD.items() if state in record.state), "")
    message = f"{held} ({record.state})" if held else waiting(record.reason)
    return message.replace("{job}", record.job_id)


def waiting(reason: str) -> str:
    """Return why a job is still queued, with Slurm's reason in brackets."""
    if not reason:
        return "waiting for the scheduler to look at it"
    message = _WAITING.get(reason) or next(
        (it for start, it in _WAITING_BEGINNINGS.items() if reason.startswith(start)), ""
    )
    return f"{message} ({reason})" if message else reason


_ENDS = {
    "COMPLETED": ("failed", "ended without an error message"),
    "TIMEOUT": ("timeout", f"wall-clock limit; {RESUBMIT}"),
    "DEADLINE": ("timeout", f"its deadline has passed; {RESUBMIT}"),
    "OUT_OF_MEMORY": ("failed", OUT_OF_MEMORY),
    "NODE_FAIL": ("failed", "{node} failed; " + RESUBMIT),
    "BOOT_FAIL": ("failed", "{node} did not boot"),
    "CANCELLED": ("cancelled", "cancelled with scancel"),
    "PREEMPTED": ("stopped", f"pre-empted; {RESUBMIT}"),
}


def ending(state: str, nodes: str, code: str = "") -> JobStatus:
    """Return the status of a job in a final state; `code` is its exit code as Slurm prints it."""
    known = next((it for it in _ENDS if it in re.split(r"\W+", state)), "")
    if not known:
        return _failed(nodes, *exit_status(code))
    run_state, reason = _ENDS[known]
    node = f"node {nodes}" if nodes and not re.search(r"[\[,]", nodes) else "a node"
    reason = reason.format(node=node)
    return JobStatus("ended", reason, run_state, nodes, has_cause=known != "COMPLETED")


def exit_status(text: str) -> tuple[int | None, int]:
    """Return the exit code, None if it is not shown, and the signal, 0 if there was none.

    `0:9` is both; a number alone is what wait(2) gives, as squeue prints it before Slurm 23.11.
    """
    if match := re.fullmatch(r"\s*(\d+):(\d+)\s*", text):
        return int(match[1]), int(match[2])
    if match := re.fullmatch(r"\s*(\d+)\s*", text):
        return int(match[1]) >> 8, int(match[1]) & 127
    return None, 0


def _failed(nodes: str, status: int | None, number: int) -> JobStatus:
    """Return the status of a job whose tasks have failed.

    srun passes the signal that killed a task on, with 128 added or, in sacct, without.

    A worker that stops ends with 1, upon which srun terminates what is left of the other ranks.
    """
    if status is None:
        return JobStatus("ended", "failed, and Slurm does not say how", "failed", nodes)
    number = number or (status - 128 if status > 128 else status)
    if number in _KILLS:
        reason = f"killed without an error message (signal {number})"
    elif number in _CRASHES:
        reason = f"crashed (signal {number}); see the end of its log"
    else:
        reason = f"ended with exit code {status} without an error message"
    return JobStatus("ended", reason, "failed", nodes, has_cause=number not in (1, signal.SIGTERM))
