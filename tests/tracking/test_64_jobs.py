"""64 jobs that start at the same moment, with one SQLite store that does not exist yet."""

import multiprocessing
import shutil
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.tracking import sync_worker
from hpc_dl.tracking.sync import is_pending
from tests.support.stores import mlflow_run, run_for, same, write_history

JOBS, STEPS = 64, 40


def sync_like_a_job(run: RunDir, training: Connection) -> None:
    """Run the sync worker until the training's end of the pipe is closed."""
    sync_worker.LAST_LOCK_TIMEOUT = 120  # all of them share the cores of one machine
    sync_worker.follow(run, training.fileno())


def runs_with_journals(uri: str, root: Path) -> list[RunDir]:
    """Prepared runs with a journal each."""
    first = run_for(uri, root)
    runs = [first, *(RunDir(root / f"quick-{number}") for number in range(2, JOBS + 1))]
    for run in runs[1:]:
        shutil.copytree(first.path, run.path)
    for run in runs:
        log = Journal(run.journal)
        log.append("state", state="running", reason="")
        write_history(log, 1, STEPS // 2)
        log.close()
    return runs


def start(runs: list[RunDir]) -> list[tuple[BaseProcess, Connection]]:
    """Start a sync worker per run; return each with the pipe's end that the training holds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.warm_tracking"])
    started = []
    for run in runs:
        theirs, ours = context.Pipe(duplex=False)
        process = context.Process(target=sync_like_a_job, args=(run, theirs))
        process.start()
        theirs.close()
        started.append((process, ours))
    return started


def train_on(run: RunDir) -> float:
    """Journal the rest; how long that took, in seconds."""
    log, before = Journal(run.journal), time.perf_counter()
    write_history(log, STEPS // 2 + 1, STEPS)
    log.append("state", state="completed", reason="all steps")
    log.close()
    return time.perf_counter() - before


@pytest.mark.nightly
def test_64_jobs_share_a_fresh_store_and_no_training_waits(tmp_path, capfd):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    runs = runs_with_journals(uri, tmp_path)
    began = time.perf_counter()
    workers = start(runs)
    longest = max(train_on(run) for run in runs)
    for _, training in workers:
        training.close()
    for process, _ in workers:
        process.join(200)
        assert process.exitcode == 0
    seconds = time.perf_counter() - began
    assert longest < 0.5  # seconds that a training stood still
    assert capfd.readouterr().err == ""
    print(f"{JOBS} jobs were synced in {seconds:.1f} s")
    for run in runs:
        assert not is_pending(run)
        assert same(run, uri)
        assert mlflow_run(run, uri).info.status == "FINISHED"
