"""A real run, from its job to the MLflow model."""

import json
import shutil

import numpy as np
from PIL import Image

from hpc_dl import predictor
from hpc_dl.tracking.sync import is_pending
from tests.support.running import new_run, train
from tests.support.stores import journalled, mlflow_run, same
from tests.support.waiting import wait_until


def test_a_trained_run_is_in_mlflow_with_files_and_a_model(tmp_path, uri, monkeypatch):
    import mlflow
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "of the user's own")  # says nothing about hpcdl
    run = train(new_run(tmp_path, tracking={"register_as": "digits", "experiment": "digits"}))
    wait_until(
        lambda: not is_pending(run), timeout=120, message="the sync worker to send everything"
    )
    found, client = mlflow_run(run, uri), MlflowClient(tracking_uri=uri)
    assert found.info.status == "FINISHED"
    assert found.info.end_time > found.info.start_time
    assert same(run, uri)
    assert {"train/loss", "val/loss", "test_loss"} <= set(journalled(run))
    best = int(next(run.checkpoints.glob("best-*")).name.rpartition("-")[2])
    assert found.data.tags["hpcdl.weights"].startswith(f"best checkpoint: step {best} ")
    assert [it.step for it in found.outputs.model_outputs] == [best]
    tables = client.list_artifacts(found.info.run_id, "artifacts/test")
    assert {it.path.split("/")[-1] for it in tables} == {"predictions.csv", "per_class.csv"}
    for kind in ("last", "best"):
        files = client.list_artifacts(found.info.run_id, f"checkpoints/{kind}")
        assert {file.path.split("/")[-1] for file in files} == {"state.pt", "manifest.json"}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    model = mlflow.pyfunc.load_model(f"runs:/{found.info.run_id}/model")
    images = np.random.default_rng(0).random((5, 1, 8, 8), dtype=np.float32)
    expected = predictor.load(run.export).predict(images)
    answer = model.predict(images)
    assert set(answer) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(answer[name], values)
    elsewhere = predictor.load(shutil.copytree(run.export, tmp_path / "elsewhere"))
    pixels = (images * 255).astype(np.uint8)
    expected = elsewhere.predict(pixels)
    for given in ([Image.fromarray(it[0]) for it in pixels], pixels.transpose(0, 2, 3, 1)):
        assert model.predict(given)["class"].tolist() == expected["class"].tolist()
        np.testing.assert_array_equal(
            model.predict(given)["probabilities"], expected["probabilities"]
        )
    registered = mlflow.pyfunc.load_model("models:/digits/1")
    assert registered.metadata.run_id == found.info.run_id
    assert len(client.search_model_versions("name='digits'")) == 1
    check_pages(run, found, client)
    said = (run.logs / "tracking.log").read_text()
    assert said == ""


def check_pages(run, found, client):
    """Check what MLflow's pages show of a run beside its metrics."""
    drawn = {path.parent.name for path in run.artifacts.glob("*/step-*.png")}
    assert drawn
    files = [it.path for it in client.list_artifacts(found.info.run_id, "images")]
    keys = {name.partition("+step+")[0].removeprefix("images/") for name in files}
    assert {f"val~{name}" for name in drawn} <= keys
    assert len(files) == 2 * len({name.partition("+timestamp+")[0] for name in files})
    assert found.data.tags["mlflow.loggedImages"] == "True"
    note = found.data.tags["mlflow.note.content"]
    accuracy = found.data.metrics["test_accuracy"]
    assert f"- **test**: accuracy {accuracy:.5g}, " in note
    assert "1437 training, 180 validation, 180 test examples" in note
    assert "- **state**: completed: " in note
    assert found.info.run_id in note
    page = client.get_experiment(found.info.experiment_id).tags
    assert page["mlflow.experimentKind"] == "custom_model_development"
    view = json.loads(page["mlflow.sharedViewState.hpcdl"])
    columns = json.loads(view["state"])["selectedColumns"]
    assert {"metrics.`test_accuracy`", "metrics.`val/loss`"} <= set(columns)
    assert "viewStateShareKey=hpcdl" in page["mlflow.note.content"]
