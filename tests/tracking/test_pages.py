"""What MLflow's pages show of runs beside their curves: descriptions, tables of metrics, images."""

import json

import pytest
from mlflow import MlflowClient
from PIL import Image

from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import read_json, write_json
from hpc_dl.tracking import images
from hpc_dl.tracking.cursor import Cursor
from hpc_dl.tracking.sync import sync_run
from tests.support.stores import mlflow_run, run_for

NOTE, VIEW = "mlflow.note.content", "mlflow.sharedViewState.hpcdl"


def overridden(run, *words):
    write_json(run.provenance, {**read_json(run.provenance), "overrides": list(words)})
    return run


def columns(uri, experiment="hpcdl"):
    page = MlflowClient(tracking_uri=uri).get_experiment_by_name(experiment).tags
    return json.loads(json.loads(page[VIEW])["state"])["selectedColumns"]


def test_a_description_follows_the_run_until_a_user_edits_it(tmp_path, uri):
    run, client = run_for(uri, tmp_path), MlflowClient(tracking_uri=uri)
    overridden(run, "train.seed=2", "data.root=s3://me:secret@host/")
    log = Journal(run.journal)
    log.append("metrics", step=5, epoch=0, values={"val/loss": 2.5})
    log.append("state", state="running", reason="1 rank")
    sync_run(run)
    text = mlflow_run(run, uri).data.tags[NOTE]
    assert text.startswith("`train.seed=2` ")
    assert "- **state**: running: 1 rank" in text
    assert "- **validation**: loss 2.5 (step 5, the newest)" in text
    log.append("state", state="failed", reason="no memory")
    run.tracking.unlink()  # as if killed before it could remember
    sync_run(run)
    text = mlflow_run(run, uri).data.tags[NOTE]
    assert "- **state**: failed: no memory" in text
    client.set_tag(Cursor.load(run).mlflow_id, NOTE, f"{text} My own remark.")
    log.append("state", state="completed", reason="all steps")
    sync_run(run)
    assert mlflow_run(run, uri).data.tags[NOTE] == f"{text} My own remark."


def test_runs_of_several_tasks_share_a_table_with_the_metrics_of_all(tmp_path, uri):
    first, second = run_for(uri, tmp_path), run_for(uri, tmp_path)
    values = {"val/loss": 1, "train/loss": 1}
    Journal(first.journal).append("metrics", step=1, epoch=0, values=values)
    sync_run(first)
    Journal(second.journal).append("metrics", step=1, epoch=0, values={"test/bleu": 2, **values})
    sync_run(second)
    assert columns(uri) == [
        "attributes.`Dataset`",
        "attributes.`Description`",
        "metrics.`val/loss`",
        "metrics.`test_bleu`",
    ]


def test_what_a_user_has_chosen_for_an_experiment_stays(tmp_path, uri):
    run, client = run_for(uri, tmp_path), MlflowClient(tracking_uri=uri)
    mine = {"mlflow.experimentKind": "classification", NOTE: "mine", VIEW: "deflate;compressed"}
    page = client.create_experiment("hpcdl", (tmp_path / "files").as_uri(), mine)
    Journal(run.journal).append("metrics", step=1, epoch=0, values={"val/loss": 1})
    sync_run(run)
    assert client.get_experiment(page).tags.items() >= mine.items()
    assert mlflow_run(run, uri).data.metrics == {"val/loss": 1}


def test_a_picture_that_is_sent_again_or_drawn_again_is_one_image(tmp_path, uri):
    run = run_for(uri, tmp_path)
    name = "artifacts/samples/step-00000007.png"
    (run.artifacts / "samples").mkdir(parents=True)
    log = Journal(run.journal)
    for size in (300, 600):
        Image.new("L", (size, size)).save(run.path / name)
        log.append("artifact", step=7, path=name, caption="samples")
        sync_run(run)
        run.uploads.unlink()
    sync_run(run)
    client, mlflow_id = MlflowClient(tracking_uri=uri), Cursor.load(run).mlflow_id
    small, whole = sorted(it.path for it in client.list_artifacts(mlflow_id, "images"))
    assert whole.startswith("images/val~samples+step+7+timestamp+")
    assert small.removesuffix("+compressed.webp") == whole.removesuffix(".png")
    for path, size in ((small, 256), (whole, 600)):
        assert Image.open(client.download_artifacts(mlflow_id, path)).size == (size, size)


@pytest.mark.parametrize(
    "path, key, step",
    [
        ("artifacts/a/step-00000012.png", "val/a", 12),
        ("artifacts/a b/c+d/step-00000012.png", "val/a b/c_d", 12),
        ("artifacts/a/test-step-00000012.png", "test_a", 12),
    ],
)
def test_pictures_stand_beside_the_curves_of_their_split(path, key, step):
    found = images.find(path, has_validation=True)
    assert (found.key, found.step) == (key, step)


@pytest.mark.parametrize("path", ["code/a/step-1.png", "artifacts/a/step-1.wav", "artifacts/a.png"])
def test_other_files_are_no_images(path):
    assert images.find(path, has_validation=True) is None
