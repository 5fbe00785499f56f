"""The MLflow dashboard, on a port of this machine that only who knows the password gets into.

A login node has many users, and 127.0.0.1 belongs to all of them: MLflow's own authentication
stands before everything, with a password that is made anew at every start.
"""

from __future__ import annotations

import errno
import getpass
import http.client
import os
import secrets
import shlex
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.installed import PYTHON
from hpc_dl.tracking import store

HOST = "127.0.0.1"
USER = "hpcdl"
START_SECONDS = 180
"""How long the server may take: MLflow's imports, from a busy network file system."""
_LOOK_AGAIN = 0.1
_IN_USE = os.strerror(errno.EADDRINUSE).lower()

_AUTHENTICATION = """\
[mlflow]
default_permission = NO_PERMISSIONS
database_uri = sqlite:///{folder}/users.db
admin_username = {user}
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


@dataclass(frozen=True)
class Dashboard:
    """A dashboard that answers."""

    port: int
    password: str
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """With the password in it: a browser that is given this asks for nothing."""
        return f"http://{USER}:{self.password}@{HOST}:{self.port}"

    @property
    def tunnel(self) -> str:
        """What to type at home to reach it, where it runs on a login node."""
        here = f"{getpass.getuser()}@{socket.getfqdn()}"
        return f"ssh -N -L {self.port}:{HOST}:{self.port} {here}"


@contextmanager
def running(uri: str, port: int, run_root: Path) -> Iterator[Dashboard]:
    """The dashboard on a database, for as long as the context lasts, or the process.

    It takes `port`, or the next free one. Raises UserError if it does not start.
    """
    with store.opened(uri, patience=60) as client:
        client.search_experiments(max_results=1)  # creates or migrates a store under our lock
    folder_of_files = store.artifact_folder(uri, run_root)
    assert folder_of_files is not None  # as of every database
    artifacts = folder_of_files.as_uri()  # MLflow decodes what is no URI, too
    password = secrets.token_urlsafe(16)
    with tempfile.TemporaryDirectory(prefix="hpcdl-dashboard-") as folder:
        dashboard = _open(uri, artifacts, port, password, Path(folder, "server.log"))
        try:
            yield dashboard
        finally:
            _end(dashboard.process)


def _open(uri: str, artifacts: str, port: int, password: str, log: Path) -> Dashboard:
    """A dashboard that answers, on the first port that nobody took while MLflow was starting."""
    while True:
        port = _free_port(port)
        process = _start(uri, artifacts, port, password, log)
        try:
            _wait_until_it_answers(process, port, log)
        except BaseException:
            _end(process)
            if _IN_USE not in log.read_text(errors="replace").lower():
                raise
        else:
            return Dashboard(port, password, process)


def _start(
    uri: str, artifacts: str, port: int, password: str, log: Path
) -> subprocess.Popen[bytes]:
    folder = log.parent
    config = folder / "authentication.ini"
    config.write_text(
        _AUTHENTICATION.format(folder=_as_value(folder), user=USER, password=password)
    )
    words = [*PYTHON, "-m", "hpc_dl.tracking.child_process"]
    words += [*PYTHON, "-m", "mlflow", "server", "--app-name", "basic-auth"]
    words += ["--host", HOST, "--port", str(port), "--workers", "1"]
    words += ["--artifacts-destination", artifacts]
    environment = os.environ | {
        "PYTHONSAFEPATH": "1",  # of its workers: see PYTHON
        "MLFLOW_BACKEND_STORE_URI": uri,  # everybody may read a command line, and its password
        "MLFLOW_AUTH_CONFIG_PATH": str(config),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight processes more, for language models
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            words,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _as_value(folder: Path) -> str:
    """A path in an ini file, whose reader replaces `%(name)s`."""
    return str(folder).replace("%", "%%")


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5).close()
        except urllib.error.HTTPError:
            return  # it answers, and asks who we are
        except (OSError, http.client.HTTPException):
            # A port where nobody listens yet may be given to our own end: then we hear ourselves.
            time.sleep(_LOOK_AGAIN)
        else:
            return
    last = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    raise UserError(f"the dashboard did not start:\n{last}", exit_code=EXIT_FAILED)


def _free_port(first: int) -> int:
    for port in range(first, min(first + 100, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise UserError(f"no port from {first} on is free", hint="Choose another with --port.")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let go of the leash, upon which the server and everything that it started is ended."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def instructions(dashboard: Dashboard) -> str:
    """What a person needs: the address, and the way to it from another machine."""
    lines = [f"The dashboard is open:  {dashboard.url}"]
    if "SSH_CONNECTION" in os.environ:
        lines += ["From your own machine, first:", f"  {shlex.join(dashboard.tunnel.split())}"]
    else:
        lines += [f"(from another machine, first: {dashboard.tunnel})"]
    return "\n".join([*lines, "Ctrl-C closes it."])
