"""The MLflow dashboard on a local port, behind a password.

A login node has many users, and 127.0.0.1 belongs to all of them: MLflow's basic authentication
guards every page, with a new password for every start.
"""

from __future__ import annotations

import dataclasses
import errno
import getpass
import http.client
import os
import secrets
import shlex
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.installed import PYTHON
from hpc_dl.run.waiting import wait_until
from hpc_dl.tracking import experiment, store, store_uri

HOST = "127.0.0.1"
USER = "hpcdl"
LOGIN = "/hpcdl"
"""The path of the page of `dashboard_login`."""
START_SECONDS = 180
"""Time-out of the server's start, most of which are imports from a network file system."""
_POLL_SECONDS = 0.1
_IN_USE = os.strerror(errno.EADDRINUSE).lower()

_AUTHENTICATION = """\
[mlflow]
default_permission = NO_PERMISSIONS
database_uri = sqlite:///{folder}/users.db
admin_username = {user}
admin_password = {password}
authorization_function = hpc_dl.tracking.dashboard_login:authenticate
"""


@dataclass(frozen=True)
class Dashboard:
    """A running dashboard."""

    port: int
    password: str
    process: subprocess.Popen[bytes]
    pages: dict[str, str] = field(default_factory=dict)
    """Addresses of tables of runs on this server, by experiment, see `experiment.pages`."""

    @property
    def newest(self) -> str:
        """The address of the experiment that changed last."""
        return f"{self.url}{next(iter(self.pages.values()), '')}"

    @property
    def url(self) -> str:
        """The address with user and password in it, so that a browser asks for nothing."""
        return f"http://{USER}:{self.password}@{HOST}:{self.port}{LOGIN}"

    @property
    def tunnel(self) -> str:
        """The ssh command that forwards the port to another machine."""
        here = f"{getpass.getuser()}@{socket.getfqdn()}"
        return f"ssh -N -L {self.port}:{HOST}:{self.port} {here}"


@contextmanager
def running(uri: str, port: int, run_root: Path) -> Iterator[Dashboard]:
    """Run the dashboard on a database as long as the context, or this process, lasts.

    It listens on `port`, or the next free one. Raises UserError if it does not start.
    """
    with store.open_store(uri, lock_timeout=60) as client:
        pages = experiment.pages(client)  # creates or migrates the schema under our lock
    folder_of_files = store_uri.artifact_folder(uri, run_root)
    assert folder_of_files is not None  # as of every database
    artifacts = folder_of_files.as_uri()  # MLflow would percent-decode a plain path
    password = secrets.token_urlsafe(16)
    with tempfile.TemporaryDirectory(prefix="hpcdl-dashboard-") as folder:
        opened = _open(uri, artifacts, port, password, Path(folder, "server.log"))
        dashboard = dataclasses.replace(opened, pages=pages)
        try:
            yield dashboard
        finally:
            _end(dashboard.process)


def _open(uri: str, artifacts: str, port: int, password: str, log: Path) -> Dashboard:
    """Start the server; try the next port if another process took ours meanwhile."""
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
        "MLFLOW_BACKEND_STORE_URI": uri,  # the command line, which holds passwords, is public
        "MLFLOW_AUTH_CONFIG_PATH": str(config),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight processes for language models
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
    """Escape a path for an ini file, whose reader replaces `%(name)s`."""
    return str(folder).replace("%", "%%")


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    wait_until(lambda: process.poll() is not None or _answers(port), START_SECONDS, _POLL_SECONDS)
    if process.poll() is None and _answers(port):
        return
    last = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    raise UserError(f"the dashboard did not start:\n{last}", exit_code=EXIT_FAILED)


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5).close()
    except urllib.error.HTTPError:
        return True  # it asks for the password
    except (OSError, http.client.HTTPException):
        # The system may give our own end the port where nobody listens yet: no HTTP then.
        return False
    return True


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
    """Close the pipe, upon which `child_process` ends the server and its children."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def instructions(dashboard: Dashboard) -> str:
    """Return the address, and how to reach it from another machine."""
    lines = [f"The dashboard is open:  {dashboard.url}"]
    if "SSH_CONNECTION" in os.environ:
        lines += ["From your own machine, first:", f"  {shlex.join(dashboard.tunnel.split())}"]
    else:
        lines += [f"(from another machine, first: {dashboard.tunnel})"]
    lines += [f"runs of {name}:  {dashboard.url}{page}" for name, page in dashboard.pages.items()]
    return "\n".join([*lines, "Ctrl-C closes it."])
