"""`hpcdl register`: a version in MLflow's registry, which `mlflow models serve` serves."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from hpc_dl.cli import main
from hpc_dl.predictor import load
from hpc_dl.run.journal import Journal
from tests.support import exports
from tests.support.stores import run_for, write_history
from tests.support.typed import use_settings
from tests.support.waiting import wait_until


@pytest.mark.slow
def test_a_run_is_registered_once_and_served(tmp_path, uri, monkeypatch, capsys):
    from mlflow import MlflowClient

    use_settings(monkeypatch, tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # the store is the run's
    run = run_for(uri, tmp_path / "runs")
    exports.export(run.export, *exports.PICTURES["ffnn"])
    log = Journal(run.journal)
    write_history(log, 1, 5)
    log.append("state", state="completed")
    assert main(["register", run.id, "digits", "--alias", "champion"]) == 0
    assert capsys.readouterr().out.startswith(f"digits, version 1: {run.id}\n")
    assert main(["register", run.id, "digits"]) == 0
    assert "version 1: quick-1, as before" in capsys.readouterr().out
    client = MlflowClient(uri)
    (version,) = client.search_model_versions("name='digits'")
    assert version.tags["hpcdl.run_dir"] == str(run.path)
    assert version.description.startswith("# quick-1\n")
    assert "## Load it" in version.description
    assert client.get_model_version_by_alias("digits", "champion").version == version.version
    assert main(["register", run.id, "a/b"]) == 2
    assert "a/b" in capsys.readouterr().err
    images = np.random.default_rng(0).random((2, 3, 32, 32))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    answer = served("models:/digits@champion", {"inputs": images.tolist()}, tmp_path)
    expected = load(run.export).predict(images)
    assert answer["class"] == expected["class"].tolist()
    np.testing.assert_allclose(answer["probabilities"], expected["probabilities"], rtol=1e-5)


def served(address, request, folder):
    """Return the predictions of a real `mlflow models serve`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        at = f"http://127.0.0.1:{probe.getsockname()[1]}"
    words = [sys.executable, "-m", "mlflow", "models", "serve", "-m", address]
    words += ["--env-manager", "local", "-p", at.rpartition(":")[2], "--workers", "1"]
    found = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with (folder / "serve.log").open("wb") as log:
        server = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True, env=found)
    try:
        wait_until(lambda: answers(f"{at}/ping"), timeout=120, interval=0.2, message="the server")
        asked = urllib.request.Request(
            f"{at}/invocations",
            json.dumps(request).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)["predictions"]
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
