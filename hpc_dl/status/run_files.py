"""The files of a run, read without asking its scheduler: state, progress, results, faults."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hpc_dl.run.events import Event
from hpc_dl.run.journal_tail import EMPTY, JournalTail, open_tail
from hpc_dl.run.layout import DamagedFile, RunDir, open_file
from hpc_dl.run.submission import Submission
from hpc_dl.run.weights import Weights
from hpc_dl.scheduler import recovery
from hpc_dl.status import reasons

_PREFERRED_METRICS = ("val/accuracy", "val/loss", "train/loss")


@dataclass(frozen=True)
class RunFiles:
    """The newest state, progress and submission that the files of a run hold."""

    run: RunDir
    submission: Submission | None
    state: str
    """The newest journalled state; empty without one."""
    reason: str
    since: float | None
    """When that state was journalled, in seconds since 1970."""
    progress: dict[str, Any]
    """Fields of Status, by name."""
    stall: str
    """For how long no rank has made progress, or a GPU has idled; empty if neither is so."""
    faults: list[str]
    """Problems with the files, each with the name of the file."""
    submission_is_damaged: bool
    """True if submission.json cannot be read: a later job than the recovered one may exist."""

    @classmethod
    def read(cls, run: RunDir) -> RunFiles:
        """Read what can be read; the other files are listed in `faults`."""
        faults = _spec_faults(run)
        last: Event = {}
        progress, stall = _progress(EMPTY), ""
        with collect_faults(run, faults), open_tail(run.journal) as found:
            last = found.newest("state") or {}
            progress = _progress(found)
            if last.get("state") == "completed":
                progress |= _results(found)
            since = last.get("t") or 0.0
            stall = reasons.stall(found, since) or reasons.idle_gpus(found, since)
        submission, fault = recovery.find(run)
        state, reason, when = last.get("state", ""), last.get("reason") or "", last.get("t")
        if fault:
            faults.append(fault)
        elif submission is None and state in ("running", "requeued"):
            submission = recovery.recover(run)
            faults += [f"{run.submission} is missing"] if submission else []
        if not state and submission and not faults:
            faults.append(f"{run.journal} holds no state of the run")
        return cls(run, submission, state, reason, when, progress, stall, faults, bool(fault))


@contextlib.contextmanager
def collect_faults(run: RunDir, faults: list[str]) -> Iterator[None]:
    """Add a file that cannot be read to `faults` instead of raising."""
    try:
        yield
    except DamagedFile as error:
        faults.append(error.message)
    except OSError as error:
        faults.append(f"{error.filename or run.path} cannot be read: {error.strerror}")


def _spec_faults(run: RunDir) -> list[str]:
    """Check that there is a spec; its content is not needed here."""
    faults: list[str] = []
    with collect_faults(run, faults), open_file(run.spec) as file:
        if not os.fstat(file.fileno()).st_size:
            faults.append(f"{run.spec} is damaged: it is empty")
    return faults


def _progress(found: JournalTail) -> dict[str, Any]:
    """Return the newest progress and metric, and where and when the run started."""
    progress, metrics = found.newest("progress") or {}, found.newest("metrics", '"val/')
    started = found.newest("started") or {}
    environment, monitored = started.get("environment") or {}, f"val/{started.get('monitor')}"
    newest = metrics or found.newest("metrics") or {"values": {}}
    values = newest["values"]
    metric = next((it for it in (monitored, *_PREFERRED_METRICS, *values) if it in values), None)
    nodes = (environment.get("slurm") or {}).get("job_nodelist")
    return {
        **{key: progress.get(key) for key in ("epoch", "epochs", "step", "steps", "seconds_left")},
        "where": nodes or environment.get("host") or "",
        "metric": metric,
        "value": values.get(metric),
        "metric_step": newest.get("step") if metric else None,
        "created": (found.oldest("state") or {}).get("t"),
        "started": (found.oldest("started") or {}).get("t"),
    }


def _results(found: JournalTail) -> dict[str, Any]:
    """Return the results on the validation and test splits, and their weights."""
    summary = found.newest("summary") or {}
    weights = Weights.from_json(summary.get("weights"))
    test = summary.get("values") or {}
    return {
        "weights": weights.to_json() if weights else None,
        "trainable_parameters": summary.get("parameters"),
        "seconds": summary.get("seconds"),
        "validation": summary.get("validation") or {},
        "test": {name.removeprefix("test/"): value for name, value in test.items()},
    }
