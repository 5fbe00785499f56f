"""A large sync blocks no other run, neither by files nor by points, nor by its memory."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hpc_dl.run.journal import Journal
from hpc_dl.tracking import sync
from hpc_dl.tracking.files import Upload
from hpc_dl.tracking.sync import sync_run
from tests.support.stores import mlflow_run, run_for, same, write_history

MEASURE = """
import resource, sys
from pathlib import Path
from hpc_dl.run.layout import RunDir
from hpc_dl.tracking.sync import sync_run
for folder in sys.argv[1:]:
    sync_run(RunDir(Path(folder)))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def journalled_run(uri, folder, events):
    run = run_for(uri, folder)
    log = Journal(run.journal)
    for step in range(1, events + 1):
        log.append("metrics", step=step, epoch=0, values={"train/loss": 1 / step})
    return run


@pytest.mark.nightly
def test_a_journal_ten_times_as_long_needs_no_more_memory(tmp_path, uri):
    short, long = journalled_run(uri, tmp_path, 2500), journalled_run(uri, tmp_path, 25_000)
    words = [sys.executable, "-c", MEASURE, str(short.path), str(long.path)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    before, after = (int(line) * 1024 for line in done.stdout.split())
    assert after - before < 2e6  # the points alone would take some times that


@pytest.mark.parametrize("what", ["file", "checkpoint"])
def test_a_large_upload_does_not_block_the_sync_of_another_run(tmp_path, uri, monkeypatch, what):
    first, second = run_for(uri, tmp_path), run_for(uri, tmp_path)
    for run in (first, second):
        write_history(Journal(run.journal), 1, 5)
    Journal(first.journal).append("state", state="failed", reason="with checkpoints")
    copying, go_on, original = threading.Event(), threading.Event(), getattr(Upload, what)

    def slow(upload, *words):
        if upload.run == first:
            copying.set()
            go_on.wait(60)
        original(upload, *words)

    monkeypatch.setattr(Upload, what, slow)
    syncing = threading.Thread(target=sync_run, args=(first,))
    syncing.start()
    try:
        assert copying.wait(60)
        assert sync_run(second, lock_timeout=0).points == 11
    finally:
        go_on.set()
        syncing.join()
    assert same(second, uri)
    assert mlflow_run(first, uri).info.status == "FAILED"


@pytest.mark.nightly
def test_a_long_sync_lets_another_run_have_the_lock(tmp_path, uri, monkeypatch):
    monkeypatch.setattr(sync, "LOCK_SECONDS", 0.1)
    many, few = journalled_run(uri, tmp_path, 6000), journalled_run(uri, tmp_path, 10)
    sync_run(few)
    write_history(Journal(few.journal), 11, 20)
    syncing = threading.Thread(target=sync_run, args=(many, 30))
    syncing.start()
    try:
        sync_run(few, lock_timeout=30)
        assert syncing.is_alive()
    finally:
        syncing.join()
    assert same(few, uri)
    assert same(many, uri)


def test_artifacts_have_the_permissions_of_their_runs(tmp_path, uri):
    run = journalled_run(uri, tmp_path, 1)
    run.path.chmod(0o750)
    sync_run(run)
    assert Path(tmp_path, "mlartifacts").stat().st_mode & 0o777 == 0o750
