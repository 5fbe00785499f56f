"""Sync during the training, while the journal grows; the sync worker never ends early."""

import subprocess
import sys
import threading
import time

import pytest

from hpc_dl.run.journal import Journal
from hpc_dl.tracking import sync_worker
from hpc_dl.tracking.cursor import Cursor
from hpc_dl.tracking.sync import is_pending, sync_run
from tests.support.stores import mlflow_run, run_for, same, write_history
from tests.support.waiting import wait_until


def test_metrics_journalled_during_a_sync_are_not_lost(tmp_path, uri):
    run = run_for(uri, tmp_path)
    log, enough = Journal(run.journal), threading.Event()

    def train() -> None:
        step = 0
        while not enough.wait(0.0005):
            step += 1
            log.append("metrics", step=step, epoch=0, values={"train/loss": 1 / step})

    training = threading.Thread(target=train)
    training.start()
    try:
        sent = sum(sync_run(run).points for _ in range(60))
    finally:
        enough.set()
        training.join()
    sync_run(run)
    assert sent > 60
    assert same(run, uri)


@pytest.fixture
def start_worker():
    """Start the sync worker of a run; its `stdin` is the pipe from the training."""
    started = []

    def start(run):
        words = [sys.executable, "-m", "hpc_dl.tracking.sync_worker", str(run.path)]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(words, stdin=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_the_sync_worker_syncs_during_the_training_and_at_its_end(tmp_path, uri, start_worker):
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 20)
    log.append("state", state="running", reason="")
    process = start_worker(run)
    wait_until(lambda: Cursor.load(run).state == "running", timeout=120)
    assert mlflow_run(run, uri).info.status == "RUNNING"
    assert same(run, uri)
    write_history(log, 21, 40)
    log.append("state", state="completed", reason="all steps")
    process.stdin.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == ""
    assert mlflow_run(run, uri).info.status == "FINISHED"
    assert same(run, uri)


@pytest.mark.nightly
def test_the_sync_worker_survives_errors_and_logs_each_in_a_line(tmp_path, uri, start_worker):
    run = run_for(uri, tmp_path)
    write_history(Journal(run.journal), 1, 20)
    whole = run.spec.read_text()
    run.spec.write_text("no: spec")
    process = start_worker(run)
    complaint = process.stderr.readline()
    assert f"{run.spec} is damaged: KeyError: 'tracking'" in complaint
    assert "again in 4 s" in complaint
    run.spec.write_text(whole)
    wait_until(lambda: not is_pending(run), timeout=120, message="the rest to be sent")
    process.stdin.close()
    assert process.wait(60) == 0
    assert same(run, uri)


def test_a_sync_that_takes_much_of_a_core_is_followed_by_a_longer_pause():
    began = time.thread_time()
    assert sync_worker._interval(began) == 2
    while time.thread_time() < began + 0.03:
        pass
    assert 3 <= sync_worker._interval(began) < 6
    assert sync_worker._interval(began - 1.0) == 6
