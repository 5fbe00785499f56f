"""Real MLflow stores for tests: a run folder with a journal of its own, and a server process."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from hpc_dl.jobspec.credentials import hidden
from hpc_dl.run import journal
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir, read_json, write_json
from hpc_dl.tracking import store_uri
from hpc_dl.tracking.cursor import Cursor
from tests.support.empty_store import made, put
from tests.support.running import new_run
from tests.support.waiting import wait_until


@pytest.fixture
def empty_store() -> Path:
    """A SQLite store without a run, to be copied."""
    return made()


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A SQLite store of the test's own, in its folder."""
    put(tmp_path)
    return f"sqlite:///{tmp_path}/mlflow.db"


def run_for(uri: str, root: Path, **sections: Any) -> RunDir:
    """Prepare a run whose journal goes to the store at `uri`, without training it."""
    run = new_run(root, **sections)
    store_uri.save(run, uri)
    write_json(run.plan, {**read_json(run.plan), "tracking_uri": hidden(uri)})
    return run


def write_history(log: Journal, first: int, last: int) -> None:
    """Journal metrics of the steps `first` to `last`, with values that depend on the step alone."""
    for step in range(first, last + 1):
        log.append("metrics", step=step, epoch=0, values={"train/loss": 1 / step, "lr": 0.1})
        if step % 5 == 0:
            log.append("metrics", step=step, epoch=0, values={"val/loss": 2 / step})


def journalled(run: RunDir) -> dict[str, list[tuple[int, float, int]]]:
    """Return every metric in the journal's view, by its name in MLflow: step, value, milliseconds.

    Test metrics are single values, and have step 0 there.
    """
    found: dict[str, list[tuple[int, float, int]]] = {}
    for event in journal.view(run.journal):
        if event["event"] == "metrics":
            for name, value in event["values"].items():
                step = 0 if name.startswith("test/") else event["step"]
                point = (step, float(value), round(event["t"] * 1000))
                found.setdefault(name.replace("test/", "test_"), []).append(point)
    return found


def sync_elsewhere(run: RunDir) -> subprocess.Popen[str]:
    """Sync a run in another process; its errors are on its standard error."""
    words = "import sys; from pathlib import Path; from hpc_dl.run.layout import RunDir; "
    words += "from hpc_dl.tracking.sync import sync_run; sync_run(RunDir(Path(sys.argv[1])), 100)"
    return subprocess.Popen(
        [sys.executable, "-c", words, str(run.path)], stderr=subprocess.PIPE, text=True
    )


def mlflow_run(run: RunDir, uri: str) -> Any:
    """Return the MLflow run of a run folder."""
    from mlflow import MlflowClient

    mlflow_id = Cursor.load(run).mlflow_id
    assert mlflow_id is not None
    return MlflowClient(tracking_uri=uri).get_run(mlflow_id)


def same(run: RunDir, uri: str) -> bool:
    """Return whether the store holds each metric of the journal, once."""
    return stored(run, uri) == {name: sorted(points) for name, points in journalled(run).items()}


def stored(run: RunDir, uri: str) -> dict[str, list[tuple[int, float, int]]]:
    """Return the same from the store, read by MLflow's client."""
    from mlflow import MlflowClient

    client, mlflow_id = MlflowClient(tracking_uri=uri), Cursor.load(run).mlflow_id
    assert mlflow_id is not None
    found = client.get_run(mlflow_id).data.metrics
    names = [name for name in found if not name.startswith(("system/", "usage_"))]
    return {
        name: sorted(
            (point.step, point.value, point.timestamp)
            for point in client.get_metric_history(mlflow_id, name)
        )
        for name in names
    }


class Server:
    """A real `mlflow server` on loopback, which can be killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options or ("--artifacts-destination", str(folder / "artifacts"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
        words += ["--port", str(self.port), "--workers", "1"]
        words += ["--backend-store-uri", f"sqlite:///{self.folder}/server.db"]
        words += self.options
        quick = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                words, stdout=log, stderr=log, start_new_session=True, cwd=self.folder, env=quick
            )
        wait_until(self.answers, timeout=120, interval=0.1, message="the MLflow server")

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """Kill the server and all its workers by SIGKILL."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
