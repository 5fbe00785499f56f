"""Worker: what a job runs in every task. It imports the training only when it is called.

`python -m hpc_dl.worker RUN_DIR [MARK]`; MARK is that of the submission.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.installed import PYTHON
from hpc_dl.run import aborts, failure, journal, lease, stop_signals
from hpc_dl.run.journal import Journal
from hpc_dl.run.journal_tail import open_tail
from hpc_dl.run.layout import DamagedFile, RunDir, mode_of, set_umask, write_atomic
from hpc_dl.run.lease import Holder, Lease
from hpc_dl.run.process_identity import Process
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.submission import Submission
from hpc_dl.run.temporary_folder import temporary_folder
from hpc_dl.scheduler import recovery, registry, requeue
from hpc_dl.scheduler.base import Scheduler
from hpc_dl.submission import resumed_code
from hpc_dl.tracking import webhook

LOG_COLUMNS = 160
"""The width of the report in the log."""
TRACKING_SECONDS = 60.0
"""How long a finished job waits for the sync of the journal to end."""


@dataclass(frozen=True)
class TrainJob:
    """Trains a run to its end, as one rank of it."""

    run_dir: str
    mark: str = ""
    """Of the submission; none where the job's script was submitted by hand."""

    def __call__(self) -> str:
        """Train, and return the outcome, as `train.main.run` does.

        On rank 0 any other outcome than `completed` and `paused` ends the process with exit code 1,
        so that jobs that depend on it see it.
        """
        run = RunDir(Path(self.run_dir))
        set_umask(mode_of(run))
        rank_info = registry.find_rank_info(run, os.environ)
        if rank_info.restarts:  # its log begins with those of the attempts before
            sys.stderr.write(f"{aborts.marker(rank_info)}\n")
        try:
            with temporary_folder(run, rank_info):
                outcome = self._work(run, rank_info)
        except SystemExit as ending:
            if rank_info.world_size > 1:
                _leave(ending.code if isinstance(ending.code, int) else EXIT_FAILED)
            raise
        if rank_info.rank == 0 and outcome not in ("completed", "paused"):
            raise SystemExit(1)
        return outcome

    def _work(self, run: RunDir, rank_info: RankInfo) -> str:
        scheduler = registry.get(rank_info.backend)
        stop_signals.hold()  # the sync of the journal, started meanwhile, never gets them
        signal.signal(signal.SIGCONT, signal.SIG_DFL)
        held = _claim(run, rank_info, scheduler, self.mark) if rank_info.rank == 0 else None
        tracking = _start_tracking(run) if held else None

        ending = threading.Lock()

        def fail(error: BaseException) -> int:
            """Print and record what ends the attempt, and return the exit code; a second thread
            waits for the end here."""
            _print(error)
            if held is not None:
                held.check()
            reason = failure.record(run, rank_info, error)
            ending.acquire()  # never released
            hung = isinstance(error, failure.NoProgress)
            if hung and held is not None:
                webhook.notify_no_progress(run, reason.reason)
            _record_end(run, rank_info, scheduler, reason, hung=hung)
            scheduler.stop_ranks(rank_info)
            return reason.exit_code

        def close() -> None:
            if held is not None:
                _report(run, held)
                _notify(run, held)
                held.release()
            if tracking is not None:
                _finish_tracking(tracking, run)

        def on_end(error: Exception) -> None:
            code = fail(error)
            close()
            _leave(code)  # the training's own thread will not

        try:
            outcome = _train(run, rank_info, scheduler, on_end, fail, held)
            if held and not scheduler.on_this_machine:
                held.check()
                requeue.after_stop(outcome, run, rank_info, scheduler)
        finally:
            close()
        return outcome


def _report(run: RunDir, held: Lease) -> None:
    """Print, write and journal what the run has used; without any use there is no report."""
    from rich.console import Console

    from hpc_dl.usage import report

    try:
        held.check()
        found = report.read(run)
        report.show(found, Console(file=sys.stdout, width=LOG_COLUMNS, highlight=False))
        write_atomic(run.report, found.markdown())
        log = Journal(run.journal)
        with open_tail(run.journal) as tail:
            step = (tail.newest("progress") or {"step": 0})["step"]
        page, figures = run.report.name, found.figures()
        log.append("report", step=step, values=figures, path=page, advice=found.advice)
        log.close()
    except UserError as error:
        sys.stderr.write(f"no report: {error.message}\n")
    except Exception:  # it is no reason to end a run otherwise than it has
        traceback.print_exc()


def _notify(run: RunDir, held: Lease) -> None:
    """Tell how the run has ended; where it only stopped, the job's script may requeue it."""
    held.check()
    with contextlib.suppress(DamagedFile):
        if journal.last_state(run.journal)[0] != "stopped":
            webhook.notify_end(run)


def _leave(code: int) -> NoReturn:
    """End this process at once: at the interpreter's own end, NCCL would wait for other ranks."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _claim(run: RunDir, rank_info: RankInfo, scheduler: Scheduler, mark: str) -> Lease:
    """Take the lease of the run before anything of it is changed; exit if it is another job's.

    This job is recorded as the run's; the journal stays as it is.
    """
    try:
        submission = _own_submission(run, rank_info, scheduler, mark)
        host = os.uname().nodename
        holder = Holder(submission, rank_info.restarts, Process.own(), host, time.time())

        def on_loss(message: str) -> None:
            scheduler.stop_ranks(rank_info)
            lease.end_process(message)

        held = lease.acquire(run, holder, lambda job: registry.is_alive(run, job), on_loss)
    except UserError as error:
        if isinstance(error, lease.LeaseHeld):
            _record_holder(run, rank_info)
        _print(error)
        scheduler.stop_ranks(rank_info)
        sys.exit(EXIT_FAILED)
    submission.save(run)
    failure.forget_earlier(run, rank_info)
    if run.cancel.exists():  # before it was known whether the scheduler has the job
        Journal(run.journal).append("state", state="cancelled", reason="cancelled by the user")
        held.release()
        scheduler.stop_ranks(rank_info)
        sys.exit(EXIT_FAILED)
    return held


def _own_submission(
    run: RunDir, rank_info: RankInfo, scheduler: Scheduler, mark: str
) -> Submission:
    """Return the submission of this job, with its id, which may not be recorded yet.

    Without a mark the script was submitted by hand. Raises UserError where the run has been
    submitted again since.
    """
    try:
        recorded = Submission.load(run)
    except DamagedFile:  # it is written anew
        recorded = None
    if recorded and recorded.job_id == rank_info.job_id and mark in ("", recorded.mark):
        return recorded
    own = scheduler.submission_of(rank_info)
    if recorded and mark and recorded.mark != mark:
        newer = f"job {recorded.job_id}" if recorded.job_id else f"a job from {recorded.host}"
        raise UserError(
            f"{run.id} has been submitted again: {newer} has it now, and this job leaves it alone",
            exit_code=EXIT_FAILED,
        )
    if recorded is None or not mark:
        return replace(own, mark=mark)
    return replace(own, mark=mark, host=recorded.host, submitted=recorded.submitted)


def _record_holder(run: RunDir, rank_info: RankInfo) -> None:
    """Record the job that trains as the run's again, where this one was recorded."""
    _, holder = lease.newest(run)
    recorded = recovery.find(run).submission
    if holder and (recorded is None or recorded.job_id in ("", rank_info.job_id)):
        holder.submission.save(run)


def _record_end(
    run: RunDir, rank_info: RankInfo, scheduler: Scheduler, failed: failure.Failure, *, hung: bool
) -> None:
    """Journal a failure, unless that is left to the job's script, which may requeue the job.

    After a hang the job is requeued here: its ranks have not ended, so the script waits for them.
    """
    if scheduler.on_this_machine:
        if rank_info.rank == 0:
            _record_failed(run, failed.reason)
    elif hung:
        requeue.after_failure(run, rank_info, scheduler, failed.reason)
    elif rank_info.rank == 0 and not failed.peer_gone:
        _record_failed(run, failed.reason)


def _train(
    run: RunDir,
    rank_info: RankInfo,
    scheduler: Scheduler,
    on_end: Callable[[Exception], None],
    fail: Callable[[BaseException], int],
    held: Lease | None,
) -> str:
    """Train, and return the outcome. A failure is printed and recorded before anything else."""
    try:
        if rank_info.rank == 0:
            resumed_code.check(run)
            if not scheduler.on_this_machine:
                requeue.check_restart(run, rank_info, scheduler)
        training = importlib.import_module("hpc_dl.train.main")
        return str(training.run(run, rank_info, on_end, held.check if held else None))
    except BaseException as error:
        raise SystemExit(fail(error)) from None  # it is printed already


def _record_failed(run: RunDir, reason: str) -> None:
    with contextlib.suppress(DamagedFile):  # it may be the journal itself that ended the run
        if journal.last_state(run.journal) != ("failed", reason):
            Journal(run.journal).append("state", state="failed", reason=reason)


def _print(error: BaseException) -> None:
    """Print a failure to the log, with a traceback unless the user can mend it."""
    if isinstance(error, UserError | failure.PeerGone | failure.NoProgress):
        sys.stderr.write(f"error: {error}\n")
    else:
        traceback.print_exception(error)
    sys.stderr.flush()


def _start_tracking(run: RunDir) -> subprocess.Popen[bytes]:
    """Start the sync of the journal to the store, in a process of its own.

    It shares no interpreter lock with the training, and a dead store cannot hold it. Its standard
    input ends when the training does, however that ends.
    """
    run.logs.mkdir(exist_ok=True)
    with (run.logs / "tracking.log").open("ab") as log:
        return subprocess.Popen(
            [*PYTHON, "-m", "hpc_dl.tracking.sync_worker", str(run.path)],
            stdin=subprocess.PIPE,
            env={**os.environ, "TMPDIR": tempfile.gettempdir()},
            stdout=log,
            stderr=log,
        )


def _finish_tracking(tracking: subprocess.Popen[bytes], run: RunDir) -> None:
    """Wait for the sync to end; what a slow store does not take in time is for `hpcdl sync`."""
    assert tracking.stdin is not None
    tracking.stdin.close()
    try:
        tracking.wait(TRACKING_SECONDS)
    except subprocess.TimeoutExpired:
        tracking.kill()
        waited = f"MLflow has not taken everything in {TRACKING_SECONDS:.0f} s"
        sys.stdout.write(f"{waited}: `hpcdl sync {run.id}` sends the rest\n")


if __name__ == "__main__":
    # By its import path, so that the class is the one that everybody else imports.
    importlib.import_module("hpc_dl.worker").TrainJob(sys.argv[1], mark="".join(sys.argv[2:3]))()
