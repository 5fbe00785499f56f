"""The lease on a run folder: one process trains in it, and two never do.

A lease is a file `lease-NUMBER.json`, created atomically by a hard link; the highest number counts.
Its holder renews it every few seconds, by its time, from a thread. To take over from a dead holder
is to create the next number and to remove the former ones. A holder that was frozen meanwhile finds
its file removed, and ends before it writes again. No two clocks are compared, and no locks are
needed: a process that waits watches whether the file changes while its own clock runs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.run.layout import RunDir, age, write_atomic
from hpc_dl.run.process_identity import Process
from hpc_dl.run.submission import Submission, name_job

RENEW_SECONDS = 5.0
"""Between two renewals."""
EXPIRY_SECONDS = 60.0
"""Without renewal for so long, a holder of unknown state is considered dead."""
RELEASE_SECONDS = 10.0
"""How long a live holder has to release the lease, as it does at its end."""
CLEANUP_SECONDS = 300.0
"""How long a job may take to end that its scheduler is cleaning up."""
_QUERY_SECONDS = 2.0
"""Between two queries of a holder's job."""
_POLL_SECONDS = 0.2
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""This clock also runs while the machine sleeps."""


class LeaseHeld(UserError):
    """Another process trains in the run folder."""

    def __init__(self, run: RunDir, lease: Holder) -> None:
        super().__init__(
            f"{run.id} is being trained by {lease}; this job leaves it alone",
            hint=f"`hpcdl status {run.id}` shows it, `hpcdl cancel {run.id}` stops it.",
            exit_code=EXIT_FAILED,
        )


@dataclass(frozen=True)
class Holder:
    """Holder of a lease, or its last one. Times are seconds since 1970, by the holder's clock."""

    submission: Submission
    restarts: int
    process: Process
    host: str
    since: float
    released: bool = False

    def __str__(self) -> str:
        it = self.submission
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"{name_job(it.backend, it.job_id)} on {self.host} since {began}"

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Holder:
        """Return the holder in a file. Raises TypeError, KeyError and others where it is none."""
        submission, process = Submission(**value["submission"]), Process(*value["process"])
        return cls(**{**value, "submission": submission, "process": process})

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def is_earlier_attempt_of(self, other: Holder) -> bool:
        """Return whether the other is the same job, which the scheduler has started again."""
        ours, theirs = self.submission, other.submission
        same = (ours.backend, ours.job_id) == (theirs.backend, theirs.job_id)
        clusters = {ours.cluster, theirs.cluster} - {""}
        return same and other.restarts > self.restarts and len(clusters) < 2


def newest(run: RunDir) -> tuple[int, Holder | None]:
    """Return the number and the holder of the newest lease; 0 without one.

    The holder is None where the file cannot be read.
    """
    number = max(_numbers(run), default=0)
    return number, _read(run, number) if number else None


def is_renewed(run: RunDir) -> bool:
    """Return whether the lease was renewed lately; by watching it, `acquire` knows better."""
    number, holder = newest(run)
    if number == 0 or (holder and (holder.released or holder.process.is_alive() is False)):
        return False
    since = age(_path(run, number))
    return since is not None and since < EXPIRY_SECONDS


def forget(run: RunDir) -> None:
    """Remove the leases of a copied run folder, whose holders train the original."""
    for number in _numbers(run):
        _path(run, number).unlink(missing_ok=True)


class Lease:
    """Lease of this process, renewed by a thread."""

    def __init__(
        self, run: RunDir, number: int, holder: Holder, on_loss: Callable[[str], None]
    ) -> None:
        self._run, self._number, self._holder, self._on_loss = run, number, holder, on_loss
        self._renewed_at = time.clock_gettime(_CLOCK)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew_periodically, name="lease", daemon=True)
        self._thread.start()

    def check(self, *, now: bool = True) -> None:
        """Call `on_loss`, which does not return, if the lease is lost.

        Unless `now`, check only after a late renewal: the process may have been frozen.
        """
        late = time.clock_gettime(_CLOCK) - self._renewed_at > 2 * RENEW_SECONDS
        if (now or late) and not self._stop.is_set():
            self._renew()

    def release(self) -> None:
        """Release the lease, so that the next job gets it at once."""
        if self._stop.is_set():
            return
        self._stop.set()
        with contextlib.suppress(OSError):  # a full disk: then it expires
            if max(_numbers(self._run), default=0) == self._number:
                _write(_path(self._run, self._number), self._holder, released=True)

    def _renew_periodically(self) -> None:
        while not self._stop.wait(RENEW_SECONDS):
            self._renew()

    def _renew(self) -> None:
        try:
            os.utime(_path(self._run, self._number))
            taken = _path(self._run, self._number + 1).exists()
        except OSError as error:
            taken = error.errno in (errno.ENOENT, errno.ESTALE)
            if not taken:
                return  # the next one may succeed
        self._renewed_at = time.clock_gettime(_CLOCK)
        if taken and not self._stop.is_set():
            _, other = newest(self._run)
            self._on_loss(f"{self._run.id} was taken over by {other or 'another job'}")


def acquire(
    run: RunDir,
    holder: Holder,
    is_alive: Callable[[Submission], str],
    on_loss: Callable[[str], None],
) -> Lease:
    """Acquire the lease, from a former holder only if that is dead. Raises LeaseHeld.

    `is_alive` asks the scheduler about a job: `yes`, `no`, `ending` or `unknown`.
    """
    watched, watch = 0, _HolderWatch(run, 0)
    while True:
        number, former = newest(run)
        if number != watched:
            watched, watch = number, _HolderWatch(run, number)
        if number == 0 or (former and (former.released or former.is_earlier_attempt_of(holder))):
            state = "free"
        else:
            state = watch.check(former, is_alive)
        if state == "held":
            raise LeaseHeld(run, former or holder)
        if state == "free" and _make(run, number + 1, holder):
            return Lease(run, number + 1, holder, on_loss)
        time.sleep(_POLL_SECONDS)


class _HolderWatch:
    """Watches whether a former holder is alive, by its job and by the renewals of its lease."""

    def __init__(self, run: RunDir, number: int) -> None:
        self._path, self._began = _path(run, number), time.monotonic()
        self._queried, self._alive = float("-inf"), ""
        self._seen, self._changed = self._renewal_time(), self._began
        self._renewals = 0

    def _renewal_time(self) -> int | None:
        try:
            with self._path.open("rb") as file:  # opening makes a network file system fetch it
                return os.fstat(file.fileno()).st_mtime_ns
        except OSError:
            return None

    def check(self, holder: Holder | None, is_alive: Callable[[Submission], str]) -> str:
        """Return `free`, `held`, or nothing as long as that is unknown."""
        now = time.monotonic()
        if now - self._queried > _QUERY_SECONDS:
            self._queried = now
            self._alive = _alive(holder, is_alive)
        match self._alive:
            case "no":
                return "free"
            case "yes":
                return "held" if now - self._began > RELEASE_SECONDS else ""
            case "ending":
                return "held" if now - self._began > CLEANUP_SECONDS else ""
        renewed = self._renewal_time()
        if renewed not in (None, self._seen):
            self._seen, self._changed = renewed, now
            self._renewals += 1
        if self._renewals and now - self._began > RELEASE_SECONDS:
            return "held"
        return "free" if now - self._changed > EXPIRY_SECONDS else ""


def _alive(holder: Holder | None, is_alive: Callable[[Submission], str]) -> str:
    if holder is None:
        return "unknown"
    alive = holder.process.is_alive()
    if alive is not None:
        return "yes" if alive else "no"
    return is_alive(holder.submission)


# ---- the files


def _path(run: RunDir, number: int) -> Path:
    return run.path / f"lease-{number}.json"


def _numbers(run: RunDir) -> list[int]:
    names = os.listdir(run.path)  # noqa: PTH208
    return [int(match[1]) for name in names if (match := re.fullmatch(r"lease-(\d+)\.json", name))]


def _read(run: RunDir, number: int) -> Holder | None:
    try:
        return Holder.from_json(json.loads(_path(run, number).read_text()))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _make(run: RunDir, number: int, holder: Holder) -> bool:
    """Create a lease file, and remove the former ones; return whether this process created it."""
    target = _path(run, number)
    new = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        _write(new, holder)
        try:
            os.link(new, target)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            try:
                with target.open("x") as file:
                    file.write(new.read_text())
            except FileExistsError:
                return False
    finally:
        new.unlink(missing_ok=True)
    for other in _numbers(run):
        if other < number:
            _path(run, other).unlink(missing_ok=True)
    return True


def _write(path: Path, holder: Holder, *, released: bool = False) -> None:
    holder = dataclasses.replace(holder, released=released)
    write_atomic(path, json.dumps(holder.to_json(), indent=2) + "\n")


def end_process(message: str) -> None:
    """End the process at once: it must not write into the run folder any more."""
    sys.stderr.write(f"error: {message}; this job leaves it alone\n")
    sys.stderr.flush()
    os._exit(EXIT_FAILED)
