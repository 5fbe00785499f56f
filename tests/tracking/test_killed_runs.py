"""MLflow gets the right status of a job that was killed without a trace; child processes end."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from hpc_dl import cli
from hpc_dl.cli.dashboard import _Syncer
from hpc_dl.run.journal import Journal
from hpc_dl.run.submission import Submission
from hpc_dl.tracking.sync import sync_run
from tests.support.stores import mlflow_run, run_for, write_history
from tests.support.waiting import wait_until


@pytest.fixture
def killed(tmp_path, uri, monkeypatch):
    """A run that MLflow calls RUNNING, and whose job was killed by kill -9."""
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 5)
    log.append("state", state="running", reason="1 rank")
    log.close()
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    own = Submission("local", str(process.pid), os.uname().nodename, time.time(), process.pid)
    own.save(run)
    sync_run(run)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert mlflow_run(run, uri).info.status == "RUNNING"
    return run


@pytest.mark.nightly
def test_status_writes_nothing_and_the_sync_after_reconcile_sends_the_end(killed, uri, capsys):
    assert cli.main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["state"] == "failed"
    sync_run(killed)
    assert mlflow_run(killed, uri).info.status == "RUNNING"
    assert cli.main(["reconcile"]) == 0
    sync_run(killed)
    assert_failed(killed, uri)


@pytest.mark.nightly
def test_sync_reconciles_a_killed_run_and_sends_its_end(killed, uri, capsys):
    assert cli.main(["sync", killed.id]) == 0
    assert_failed(killed, uri)


@pytest.mark.nightly
def test_the_dashboard_reconciles_a_killed_run_and_sends_its_end(killed, uri, capsys):
    _Syncer(killed.root).sync()
    assert_failed(killed, uri)


def assert_failed(run, uri):
    found = mlflow_run(run, uri)
    assert found.info.status == "FAILED"
    assert found.info.end_time is not None
    assert found.data.tags["hpcdl.state"] == "failed"
    assert found.data.tags["hpcdl.reason"] == "killed without an error message"


PARENT = """
import subprocess, sys
child = [sys.executable, "-m", "hpc_dl.tracking.child_process"]
command = ["sh", "-c", "sleep 1000 & echo $$; sleep 1000"]
subprocess.Popen([*child, *command], stdin=subprocess.PIPE, start_new_session=True).wait()
"""


def test_a_child_process_ends_with_its_parent_even_by_kill_9():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline()
    family = wait_until(
        lambda: len(found := psutil.Process(parent.pid).children(recursive=True)) == 4 and found
    )
    parent.kill()
    parent.wait()
    wait_until(lambda: not any(it.is_running() for it in family), message="all of it to end")


def test_a_child_process_returns_the_exit_code_of_its_command():
    words = [sys.executable, "-m", "hpc_dl.tracking.child_process", "sh", "-c", "exit 7"]
    parent = subprocess.Popen(words, stdin=subprocess.PIPE)
    assert parent.wait(30) == 7
    parent.stdin.close()
