"""What a job runs in every task: the small picklable callable that imports the worker when called.

`python -m hpc_dl.job RUN_DIR` runs it too.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hpc_dl import failure, journal, slurm_job
from hpc_dl.errors import UserError
from hpc_dl.journal import Journal
from hpc_dl.place import Place, find_place
from hpc_dl.rundir import DamagedFile, RunDir
from hpc_dl.scratch import temporary_folder

TRACKING_PATIENCE = 60.0
"""Seconds that a finished job waits for the tracking to bring the rest."""


@dataclass(frozen=True)
class TrainJob:
    """Trains a run to its end, as one rank of it."""

    run_dir: str
    visible_gpus: str | None = None
    """CUDA_VISIBLE_DEVICES as it was at submission; submitit's local tasks count from 0."""

    def __call__(self) -> str:
        """The outcome: `completed`, `requeue`, `cancelled` or `stopped`.

        On rank 0 any other outcome than `completed` ends the process with exit code 1, so that
        Slurm's dependencies see it.
        """
        run, place = RunDir(Path(self.run_dir)), find_place(os.environ)
        with temporary_folder(run, place):
            outcome = self._work(run, place)
        if place.rank == 0 and outcome != "completed":
            raise SystemExit(1)
        return outcome

    def _work(self, run: RunDir, place: Place) -> str:
        _quieten_signals(place)
        _remove_leftovers(place)
        if self.visible_gpus is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.visible_gpus
        if place.rank == 0:
            _claim(run, place)
        tracking = _start_tracking(run) if place.rank == 0 else None

        def on_hang(reason: str) -> None:
            _end_hung(run, place, reason)
            if tracking is not None:
                _finish_tracking(tracking)
            os._exit(1)  # the training's own thread will not

        try:
            outcome = _train(run, place, on_hang)
            if place.slurm and place.rank == 0:
                slurm_job.after(outcome, run, place)
        finally:
            if tracking is not None:
                _finish_tracking(tracking)
        return outcome


def _quieten_signals(place: Place) -> None:
    """Ignore what submitit's handlers would act on, until the worker installs its own.

    What is started from here on, the tracking, ignores them for good, and so outlives the warning.
    """
    for number in (signal.SIGUSR2, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCONT, signal.SIG_DFL)
    if place.world_size > 1 and not place.slurm:
        # submitit's local controller announces its SIGKILL by SIGINT; see `_stop_the_others`.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _remove_leftovers(place: Place) -> None:
    """Remove the half-written result of a killed attempt, over which submitit would stumble."""
    if folder := os.environ.get("SUBMITIT_FOLDER"):
        for leftover in Path(folder).glob(f"{place.job_id}_{place.rank}_*.save_tmp"):
            leftover.unlink(missing_ok=True)


def _claim(run: RunDir, place: Place) -> None:
    """What rank 0 records before it begins: that the run is this attempt's now."""
    if place.slurm:
        slurm_job.claim(run, place)
        failure.forget_earlier(run, place)


def _end_hung(run: RunDir, place: Place, reason: str) -> None:
    """Have Slurm start the job again; a local one fails."""
    sys.stderr.write(f"error: {reason}\n")
    sys.stderr.flush()
    if place.slurm:
        slurm_job.go_on(run, place, reason, "failed")
    else:
        _note_failed(run, reason)
        _stop_the_others(place)


def _train(run: RunDir, place: Place, on_hang: Callable[[str], None]) -> str:
    """The outcome of the worker. A failure is printed and recorded before anything else is done."""
    try:
        if place.slurm and place.rank == 0:
            slurm_job.check_restart(run, place)
        worker = importlib.import_module("hpc_dl.train.worker")
        return str(worker.run(run, place, on_hang))
    except BaseException as error:
        _print(error)
        reason = failure.record(run, place, error)
        if place.rank == 0 and not (place.slurm and reason == failure.PEER_GONE):
            _note_failed(run, reason)  # in the other case the batch script may start it again
        _stop_the_others(place)
        raise SystemExit(1) from None  # submitit would print it all once more, at the very end


def _note_failed(run: RunDir, reason: str) -> None:
    with contextlib.suppress(DamagedFile):  # it may be the journal itself that ended the run
        if journal.last_state(run.journal) != ("failed", reason):
            Journal(run.journal).append("state", state="failed", reason=reason)


def _print(error: BaseException) -> None:
    """What the log shows of a failure: where it comes from, unless it is the user's to mend."""
    if isinstance(error, UserError):
        sys.stderr.write(f"error: {error}\n")
    else:
        traceback.print_exception(error)
    sys.stderr.flush()


def _stop_the_others(place: Place) -> None:
    """Have submitit's local controller end all ranks, as srun does with --kill-on-bad-exit."""
    if place.world_size > 1 and not place.slurm:
        os.kill(os.getppid(), signal.SIGINT)


def _start_tracking(run: RunDir) -> subprocess.Popen[bytes]:
    """Bring the journal to the store, in a process of its own.

    It shares no interpreter lock with the training, and a dead store cannot hold it. Its standard
    input ends when the training does, however that ends.
    """
    run.logs.mkdir(exist_ok=True)
    with (run.logs / "tracking.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "hpc_dl.tracking.follow", str(run.path)],
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
    importlib.import_module("hpc_dl.job").TrainJob(sys.argv[1])()
