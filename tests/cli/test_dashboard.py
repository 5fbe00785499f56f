"""The dashboard opens for who has its password, and leaves nothing behind."""

import base64
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import psutil
import pytest

from hpc_dl.errors import UserError
from hpc_dl.run.journal import Journal
from hpc_dl.tracking import dashboard
from hpc_dl.tracking.sync import is_pending
from tests.support.stores import run_for, same, write_history
from tests.support.waiting import wait_until


def get(port, path="/", password=None, host=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if password:
        secret = base64.b64encode(f"{dashboard.USER}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {secret}")
    if host:
        request.add_header("Host", host)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def taken():
    """A port that is in use."""
    with socket.socket() as other:
        other.bind((dashboard.HOST, 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture
def command(tmp_path, taken):
    """`hpcdl dashboard` on the runs of the test's folder."""
    words = [sys.executable, "-m", "hpc_dl", "dashboard", "--site", "generic"]
    environment = os.environ | {"HPCDL_RUN_ROOT": str(tmp_path), "SSH_CONNECTION": "from home"}
    process = subprocess.Popen(
        [*words, "--port", str(taken)], env=environment, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.terminate()
    process.wait()


@pytest.mark.nightly
def test_the_dashboard_needs_its_password_and_leaves_no_process_behind(
    tmp_path, uri, taken, command
):
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 5)
    said = [command.stdout.readline() for _ in range(4)]
    found = re.search(r"http://hpcdl:(\S+)@127\.0\.0\.1:(\d+)", said[0])
    password, port = found[1], int(found[2])
    assert port != taken
    assert f"ssh -N -L {port}:127.0.0.1:{port} " in said[2]

    assert get(port) == 401
    assert get(port, password="guess") == 401
    assert get(port, password=password) == 200
    assert get(port, password=password, host="localhost:8888") == 200
    family = [command.pid, *(c.pid for c in psutil.Process(command.pid).children(True))]
    assert len(family) == 4  # hpcdl, its leash, MLflow, and its server
    listening = {
        connection.laddr.ip
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.pid in family
    }
    assert listening == {"127.0.0.1"}

    assert same(run, uri)
    write_history(log, 6, 10)
    wait_until(lambda: not is_pending(run), message="a curve to move")
    assert same(run, uri)

    command.send_signal(signal.SIGHUP)  # its terminal was closed
    assert command.wait(30) == 0
    assert not any(psutil.pid_exists(pid) for pid in family)


@pytest.mark.nightly
def test_the_dashboard_takes_another_port_if_one_is_taken_while_mlflow_starts(
    tmp_path, uri, taken, monkeypatch
):
    free, found = dashboard._free_port, iter([taken])
    monkeypatch.setattr(dashboard, "_free_port", lambda port: next(found, None) or free(port))
    with dashboard.running(uri, taken, tmp_path) as opened:
        assert opened.port != taken
        assert get(opened.port, password=opened.password) == 200


@pytest.mark.nightly
def test_a_dashboard_that_cannot_start_shows_why(tmp_path, uri, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "flask_wtf.py").write_text("raise ImportError('flask_wtf is broken')")
    with (
        pytest.raises(UserError, match="Flask-WTF"),
        dashboard.running(uri, 5600, tmp_path),
    ):
        pass
