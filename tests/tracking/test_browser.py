"""MLflow's own pages, as a browser shows them on `hpcdl dashboard`."""

import re
import shutil
import subprocess

import pytest

from hpc_dl.tracking import dashboard
from hpc_dl.tracking.sync import sync_run
from tests.support.running import new_run, train
from tests.support.stores import mlflow_run, stored

CHROMIUM = shutil.which("chromium")
OPTIONS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-sync", "--disable-background-networking", "--disable-component-update"),
    *("--window-size=2200,3000", "--virtual-time-budget=60000", "--dump-dom"),
]


@pytest.mark.nightly
@pytest.mark.skipif(CHROMIUM is None, reason="needs the command chromium")
def test_pages_show_training_runs_with_metrics_data_images_and_curves_first(tmp_path, uri):
    run = train(new_run(tmp_path, tracking={"experiment": "digits"}))
    sync_run(run, lock_timeout=120)  # of the sync worker
    mlflow_id = mlflow_run(run, uri).info.run_id

    def page(address):
        return text(opened.url, address, tmp_path)

    with dashboard.running(uri, 5600, tmp_path) as opened:
        table = page(opened.pages["digits"])
        whole = page(f"#/experiments/1/runs/{mlflow_id}")
        charts = page(f"#/experiments/1/runs/{mlflow_id}/model-metrics")
    for found in (table, whole, charts):
        assert "GenAI Model training digits Runs Models Traces" in found  # no pages of agents
    assert "Metrics Dataset Duration Description test_accuracy test_" in table
    assert re.search(rf"{run.id} .* digits \([0-9a-f]{{32}}\) training", table)
    assert re.search(r"Description test : accuracy 0\.\d+.* state : completed", whole)
    assert re.search(r"train \(\d+\).* val \(\d+\).* Model metrics \(\d+\)", charts)
    grids = {path.parent.name for path in run.artifacts.glob("*/step-*.png")}
    curves = [name for name in stored(run, uri) if name.startswith("val/")]
    assert f" val ({len(curves) + len(grids)})" in charts
    assert not re.search(r"test.* train \(", charts)


def text(url, address, folder):
    """Return the text of a page, once its scripts have run."""
    words = [CHROMIUM, *OPTIONS, f"--user-data-dir={folder}/chromium", f"{url}{address}"]
    found = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True).stdout
    body = re.sub(r"<(script|style)\b.*?</\1>", "", found.partition("<body")[2], flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())
