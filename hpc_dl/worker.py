"""What a job runs in every task: the small picklable callable that imports the worker when called.

`python -m hpc_dl.worker RUN_DIR [MARK]` runs it too; MARK is that of the submission.
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
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.installed import PYTHON
from hpc_dl.run import aborts, failure, journal, lease
from hpc_dl.run import submission as submissions
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.run.lease import Holder, Lease
from hpc_dl.run.process_identity import Process, identity, user
from hpc_dl.run.rank_info import RankInfo, find_rank_info
from hpc_dl.run.submission import Submission
from hpc_dl.run.temporary_folder import temporary_folder
from hpc_dl.scheduler.slurm import query, requeue

TRACKING_PATIENCE = 60.0
"""Seconds that a finished job waits for the tracking to bring the rest."""


@dataclass(frozen=True)
class TrainJob:
    """Trains a run to its end, as one rank of it."""

    run_dir: str
    visible_gpus: str | None = None
    """CUDA_VISIBLE_DEVICES as it was at submission; submitit's local tasks count from 0."""
    mark: str = ""
    """Of the submission; none where the script was given to sbatch by hand."""

    def __call__(self) -> str:
        """The outcome: `completed`, `requeue`, `cancelled` or `stopped`.

        On rank 0 any other outcome than `completed` ends the process with exit code 1, so that
        Slurm's dependencies see it.
        """
        run, rank_info = RunDir(Path(self.run_dir)), find_rank_info(os.environ)
        if rank_info.restarts:  # its log begins with those of the attempts before
            sys.stderr.write(f"{aborts.marker(rank_info)}\n")
        try:
            with temporary_folder(run, rank_info):
                outcome = self._work(run, rank_info)
        except SystemExit:
            if rank_info.world_size > 1:
                _leave()
            raise
        if rank_info.rank == 0 and outcome != "completed":
            raise SystemExit(1)
        return outcome

    def _work(self, run: RunDir, rank_info: RankInfo) -> str:
        _quieten_signals(rank_info)
        _remove_leftovers(rank_info)
        if self.visible_gpus is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.visible_gpus
        held = _claim(run, rank_info, self.mark) if rank_info.rank == 0 else None
        tracking = _start_tracking(run) if held else None

        ending = threading.Lock()

        def fail(error: BaseException) -> None:
            """Print and record what ends the attempt; whoever comes second waits for its end."""
            _print(error)
            if held is not None:
                held.check()
            reason = failure.record(run, rank_info, error)
            ending.acquire()  # never released
            _note_end(run, rank_info, reason, hung=isinstance(error, failure.NoProgress))
            _stop_the_others(rank_info)

        def close() -> None:
            if held is not None:
                held.release()
            if tracking is not None:
                _finish_tracking(tracking)

        def on_end(error: Exception) -> None:
            fail(error)
            close()
            _leave()  # the training's own thread will not

        try:
            outcome = _train(run, rank_info, on_end, fail, held)
            if held and rank_info.slurm:
                held.check()
                requeue.after(outcome, run, rank_info)
        finally:
            close()
        return outcome


def _leave() -> NoReturn:
    """End this process at once: at the interpreter's own end, NCCL would wait for other ranks."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(EXIT_FAILED)


def _quieten_signals(rank_info: RankInfo) -> None:
    """Ignore what submitit's handlers would act on, until the worker installs its own.

    What is started from here on, the tracking, ignores them for good, and so outlives the warning.
    """
    for number in (signal.SIGUSR2, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCONT, signal.SIG_DFL)
    if rank_info.world_size > 1 and not rank_info.slurm:
        # submitit's local controller announces its SIGKILL by SIGINT; see `_stop_the_others`.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _remove_leftovers(rank_info: RankInfo) -> None:
    """Remove the half-written result of a killed attempt, over which submitit would stumble."""
    if folder := os.environ.get("SUBMITIT_FOLDER"):
        for leftover in Path(folder).glob(f"{rank_info.job_id}_{rank_info.rank}_*.save_tmp"):
            leftover.unlink(missing_ok=True)


def _claim(run: RunDir, rank_info: RankInfo, mark: str) -> Lease:
    """Make the run this attempt's, before anything of it is touched; where it is another's, leave.

    What has recorded this job as the run's is put right then; the journal stays as it is.
    """
    try:
        submission = _own_submission(run, rank_info, mark)
        host = os.uname().nodename
        holder = Holder(submission, rank_info.restarts, Process.own(), host, time.time())

        def on_loss(message: str) -> None:
            _stop_the_others(rank_info)
            lease.leave(message)

        held = lease.acquire(run, holder, query.is_alive, on_loss)
    except UserError as error:
        if isinstance(error, lease.Held):
            _give_back(run, rank_info)
        _print(error)
        _stop_the_others(rank_info)
        sys.exit(EXIT_FAILED)
    if rank_info.slurm:
        submission.save(run)
        failure.forget_earlier(run, rank_info)
    if run.cancel.exists():  # while nobody knew whether Slurm has the job
        Journal(run.journal).append("state", state="cancelled", reason="cancelled by the user")
        held.release()
        _stop_the_others(rank_info)
        sys.exit(EXIT_FAILED)
    return held


def _own_submission(run: RunDir, rank_info: RankInfo, mark: str) -> Submission:
    """What this job is to the run. Raises UserError where the run has another job by now."""
    if rank_info.slurm:
        return requeue.claim(run, rank_info, mark)
    job, host = rank_info.job_id, os.uname().nodename
    group = os.getpgrp()
    return Submission("local", job, host, time.time(), group, user=user(), machine=identity())


def _give_back(run: RunDir, rank_info: RankInfo) -> None:
    """Record the job that trains as the run's again, where this one was recorded."""
    _, holder = lease.newest(run)
    recorded = submissions.find(run).submission
    if holder and (recorded is None or recorded.job_id in ("", rank_info.job_id)):
        holder.submission.save(run)


def _note_end(run: RunDir, rank_info: RankInfo, failed: failure.Failure, *, hung: bool) -> None:
    """Journal a failure, unless it is for the batch script, which may start the job again.

    After a hang Slurm is asked to do so here: nothing has ended from which the script could tell.
    """
    if hung and rank_info.slurm:
        requeue.go_on(run, rank_info, failed.reason, "failed")
    elif rank_info.rank == 0 and not (rank_info.slurm and failed.peer_gone):
        _note_failed(run, failed.reason)


def _train(
    run: RunDir,
    rank_info: RankInfo,
    on_end: Callable[[Exception], None],
    fail: Callable[[BaseException], None],
    held: Lease | None,
) -> str:
    """The outcome of the worker. A failure is printed and recorded before anything else is done."""
    try:
        if rank_info.slurm and rank_info.rank == 0:
            requeue.check_restart(run, rank_info)
        worker = importlib.import_module("hpc_dl.train.main")
        return str(worker.run(run, rank_info, on_end, held.check if held else None))
    except BaseException as error:
        fail(error)
        raise SystemExit(EXIT_FAILED) from None  # submitit would print it all once more


def _note_failed(run: RunDir, reason: str) -> None:
    with contextlib.suppress(DamagedFile):  # it may be the journal itself that ended the run
        if journal.last_state(run.journal) != ("failed", reason):
            Journal(run.journal).append("state", state="failed", reason=reason)


def _print(error: BaseException) -> None:
    """What the log shows of a failure: where it comes from, unless it is the user's to mend."""
    if isinstance(error, UserError | failure.PeerGone | failure.NoProgress):
        sys.stderr.write(f"error: {error}\n")
    else:
        traceback.print_exception(error)
    sys.stderr.flush()


def _stop_the_others(rank_info: RankInfo) -> None:
    """Have submitit's local controller end all ranks, as srun does with --kill-on-bad-exit."""
    if rank_info.world_size > 1 and not rank_info.slurm:
        os.kill(os.getppid(), signal.SIGINT)


def _start_tracking(run: RunDir) -> subprocess.Popen[bytes]:
    """Bring the journal to the store, in a process of its own.

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


def _finish_tracking(tracking: subprocess.Popen[bytes]) -> None:
    """Let it bring the rest; what a slow store does not take in time is for `hpcdl sync`."""
    assert tracking.stdin is not None
    tracking.stdin.close()
    try:
        tracking.wait(TRACKING_PATIENCE)
    except subprocess.TimeoutExpired:
        tracking.kill()


if __name__ == "__main__":
    # By its import path, so that the class is the one that everybody else imports.
    importlib.import_module("hpc_dl.worker").TrainJob(sys.argv[1], mark="".join(sys.argv[2:3]))()
