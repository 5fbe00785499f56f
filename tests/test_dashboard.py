"""The dashboard opens for who has its password, and leaves nothing behind."""

import base64
import socket
import urllib.error
import urllib.request

import psutil
import pytest

from hpc_dl.errors import UserError
from hpc_dl.journal import Journal
from hpc_dl.tracking import dashboard
from hpc_dl.tracking.sync import bring
from tests.stores import run_for, write_history


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


def test_only_who_has_the_password_gets_in_also_through_a_tunnel(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    run = run_for(uri, tmp_path)
    write_history(Journal(run.journal), 1, 5)
    bring(run)
    with socket.socket() as other:
        other.bind((dashboard.HOST, 0))
        other.listen()
        taken = other.getsockname()[1]
        with dashboard.running(uri, taken) as opened:
            assert opened.port != taken
            assert get(opened.port) == 401
            assert get(opened.port, password="guess") == 401
            assert get(opened.port, password=opened.password) == 200
            assert get(opened.port, password=opened.password, host="localhost:8888") == 200
            said = dashboard.instructions(opened)
            assert f"-L {opened.port}:127.0.0.1:{opened.port}" in said
            assert opened.password in said
            address = psutil.Process(opened.process.pid).children(recursive=True)
            family = [opened.process.pid, *(child.pid for child in address)]
            listening = {
                connection.laddr.ip
                for connection in psutil.net_connections("tcp")
                if connection.status == psutil.CONN_LISTEN and connection.pid in family
            }
            assert listening == {"127.0.0.1"}
    assert not any(psutil.pid_exists(pid) for pid in family)


def test_a_dashboard_that_cannot_start_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "flask_wtf.py").write_text("raise ImportError('flask_wtf is broken')")
    with (
        pytest.raises(UserError, match="Flask-WTF"),
        dashboard.running(f"sqlite:///{tmp_path}/mlflow.db", 5600),
    ):
        pass
