"""Odd names, deleted runs and moved stores: what could block a sync for ever."""

import math
import re
import shutil
import subprocess
import sys

import pytest

from hpc_dl.errors import UserError
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import read_json, write_json
from hpc_dl.tracking import description, store_uri
from hpc_dl.tracking.cursor import Cursor
from hpc_dl.tracking.sync import sync_run
from tests.support.stores import mlflow_run, run_for, same, stored, write_history


@pytest.mark.parametrize(
    "said, taken",
    [
        ("train/loss", "train/loss"),
        ("train/acc@5 (%)", "train/acc_5 ___"),
        ("../up//and/./down/", "up/and/down"),
        ("größe:1", "größe:1"),
        ("", "_"),
        ("n" * 400, "n" * 250),
    ],
)
def test_metric_names_are_cleaned_for_mlflow(tmp_path, uri, said, taken):
    run = run_for(uri, tmp_path)
    Journal(run.journal).append("metrics", step=3, epoch=0, values={said: 0.25})
    sync_run(run)
    assert [(step, value) for step, value, _ in stored(run, uri)[taken]] == [(3, 0.25)]


def test_valid_names_stay_as_they_are():
    for fine in ("model.latent_dim", "val/elbo", "system/gpu_0_memory_usage_megabytes", "a b:c"):
        assert description.clean_name(fine) == fine


def test_infinities_are_stored_as_the_largest_float(tmp_path, uri):
    run = run_for(uri, tmp_path)
    Journal(run.journal).append("metrics", step=1, epoch=0, values={"a": math.inf, "b": -math.inf})
    sync_run(run)
    arrived = {name: points[0][1] for name, points in stored(run, uri).items()}
    assert arrived == {"a": 1.7976931348623157e308, "b": -1.7976931348623157e308}


def test_a_long_reason_is_cut_to_what_mlflow_stores(tmp_path, uri):
    run = run_for(uri, tmp_path)
    Journal(run.journal).append("state", state="failed", reason="too long " * 10_000)
    sync_run(run)
    found = mlflow_run(run, uri)
    assert found.info.status == "FAILED"
    assert found.data.tags["hpcdl.reason"].startswith("too long too long")


@pytest.mark.parametrize("lost", [False, True], ids=["known", "position lost"])
def test_a_run_deleted_in_mlflow_is_not_created_again(tmp_path, uri, lost):
    from mlflow import MlflowClient

    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 5)
    sync_run(run)
    client, mlflow_id = MlflowClient(tracking_uri=uri), Cursor.load(run).mlflow_id
    client.delete_run(mlflow_id)
    write_history(log, 6, 10)
    if lost:
        run.tracking.unlink()
    with pytest.raises(UserError, match="was deleted") as refused:
        sync_run(run)
    assert f"mlflow runs restore --run-id {mlflow_id}" in str(refused.value)
    client.restore_run(mlflow_id)
    sync_run(run)
    assert same(run, uri)


@pytest.mark.nightly
@pytest.mark.parametrize("when", ["before the run", "during the run"])
def test_the_hint_for_a_deleted_experiment_restores_it(tmp_path, uri, when):
    from mlflow import MlflowClient

    run = run_for(uri, tmp_path, tracking={"experiment": 'it\'s "mine" 100%/#?`'})
    log, client = Journal(run.journal), MlflowClient(tracking_uri=uri)
    write_history(log, 1, 5)
    if when == "during the run":
        sync_run(run)
        found = client.get_run(Cursor.load(run).mlflow_id).info.experiment_id
    else:
        found = client.create_experiment(description.experiment(run), tmp_path.as_uri())
    client.delete_experiment(found)
    write_history(log, 6, 10)
    for _ in range(2):
        with pytest.raises(UserError, match=r"the experiment .*mine.* was deleted") as refused:
            sync_run(run)
    command = re.search(r"MLFLOW_TRACKING_URI=.* mlflow experiments restore .*", str(refused.value))
    assert command is not None
    assert "tracking.experiment" in refused.value.hint
    words = f"{command[0].replace(' mlflow ', f' {sys.executable} -m mlflow ')}"
    subprocess.run(words, shell=True, check=True, capture_output=True, cwd=tmp_path)
    sync_run(run)
    assert same(run, uri)


def test_a_run_can_move_from_a_deleted_experiment_to_another(tmp_path, uri):
    from mlflow import MlflowClient

    run = run_for(uri, tmp_path, tracking={"experiment": "first"})
    log, client = Journal(run.journal), MlflowClient(tracking_uri=uri)
    write_history(log, 1, 5)
    sync_run(run)
    client.delete_experiment(client.get_experiment_by_name("first").experiment_id)
    run.spec.write_text(run.spec.read_text().replace("experiment: first", "experiment: second"))
    write_history(log, 6, 10)
    sync_run(run)
    assert same(run, uri)
    second = client.get_experiment_by_name("second").experiment_id
    assert mlflow_run(run, uri).info.experiment_id == second


def test_an_emptied_store_gets_the_whole_run_again(tmp_path, uri):
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 20)
    sync_run(run)
    write_json(run.tracking, {**read_json(run.tracking), "mlflow_id": "0" * 32})
    write_history(log, 21, 30)
    sync_run(run)
    assert same(run, uri)


def test_a_second_store_gets_the_whole_run(tmp_path, uri, empty_store):
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 20)
    sync_run(run)
    (tmp_path / "other").mkdir()
    shutil.copy(empty_store, tmp_path / "other")
    other = f"sqlite:///{tmp_path}/other/mlflow.db"
    write_json(run.plan, {**read_json(run.plan), "tracking_uri": other})
    write_history(log, 21, 30)
    sync_run(run)
    assert same(run, other)


def test_parameters_changed_by_a_resume_do_not_block_the_sync(tmp_path, uri):
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 5)
    sync_run(run)
    run.tracking.unlink()
    run.spec.write_text(run.spec.read_text().replace("hidden:", "hidden_before:"))
    write_history(log, 6, 10)
    sync_run(run)
    assert same(run, uri)


def test_a_relative_sqlite_uri_is_relative_to_the_folder_of_the_submission(tmp_path, empty_store):
    (tmp_path / "home").mkdir()
    shutil.copy(empty_store, tmp_path / "home" / "own.db")
    run = run_for("sqlite:///own.db", tmp_path)
    write_json(run.provenance, {**read_json(run.provenance), "folder": str(tmp_path / "home")})
    write_history(Journal(run.journal), 1, 5)
    sync_run(run)
    assert same(run, f"sqlite:///{tmp_path}/home/own.db")
    assert (
        store_uri.absolute("https://mlflow.example.org", tmp_path) == "https://mlflow.example.org"
    )


def test_a_run_folder_without_a_plan_is_named_in_the_error(tmp_path, uri):
    run = run_for(uri, tmp_path)
    run.plan.unlink()
    with pytest.raises(UserError, match=r"quick-1 has no plan.json"):
        sync_run(run)


@pytest.mark.parametrize("facts, tags", [({"synthetic": True}, ["True"]), ({}, []), (["?"], [])])
def test_a_tag_says_that_data_are_synthetic(tmp_path, uri, facts, tags):
    run = run_for(uri, tmp_path)
    write_json(run.plan, {"facts": facts})
    found = description.run_tags(run)
    assert [value for name, value in found.items() if name == "hpcdl.synthetic"] == tags
