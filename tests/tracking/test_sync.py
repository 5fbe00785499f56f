"""The journal arrives in a real MLflow store: every value, once."""

import math
import os
import sqlite3
from pathlib import Path

import pytest

from hpc_dl.errors import UserError
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import read_json
from hpc_dl.tracking import store, store_uri
from hpc_dl.tracking.cursor import Cursor
from hpc_dl.tracking.lock import LockTimeout
from hpc_dl.tracking.sync import is_pending, sync_run
from tests.support.stores import (
    journalled,
    mlflow_run,
    run_for,
    same,
    stored,
    sync_elsewhere,
    write_history,
)


def test_every_metric_of_the_journal_is_in_the_store(tmp_path, uri):
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 1203)
    log.append("metrics", step=1204, epoch=0, values={"odd": math.nan, "lr": 1e-300})
    assert sync_run(run).points == 2 * 1203 + 240 + 2
    ours, theirs = journalled(run), stored(run, uri)
    assert math.isnan(ours.pop("odd")[0][1])
    assert math.isnan(theirs.pop("odd")[0][1])
    assert theirs == {name: sorted(it) for name, it in ours.items()}


def test_a_second_sync_adds_only_what_is_new(tmp_path, uri):
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 20)
    sync_run(run)
    assert not is_pending(run)
    assert sync_run(run).points == 0
    write_history(log, 21, 30)
    assert sync_run(run).points == 22
    assert same(run, uri)


def test_a_kill_before_the_cursor_is_saved_duplicates_nothing(tmp_path, uri):
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 20)
    sync_run(run)
    remembered = run.tracking.read_bytes()
    write_history(log, 21, 40)
    sync_run(run)
    run.tracking.write_bytes(remembered)  # as if it had been killed before it could remember
    sync_run(run)
    assert same(run, uri)


def test_a_run_without_its_cursor_is_found_again_in_the_store(tmp_path, uri):
    from mlflow import MlflowClient

    run = run_for(uri, tmp_path)
    write_history(Journal(run.journal), 1, 20)
    sync_run(run)
    first = Cursor.load(run).mlflow_id
    run.tracking.unlink()
    sync_run(run)
    assert Cursor.load(run).mlflow_id == first
    experiment = MlflowClient(tracking_uri=uri).get_experiment_by_name("hpcdl")
    assert len(MlflowClient(tracking_uri=uri).search_runs([experiment.experiment_id])) == 1
    assert same(run, uri)


def test_steps_trained_again_after_a_resume_appear_once(tmp_path, uri):
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 20)
    checkpoint = log.size()
    write_history(log, 21, 33)
    sync_run(run)
    log.append("started", attempt="2", step=20, cut=checkpoint, world_size=1, device="cpu")
    write_history(log, 21, 50)
    sync_run(run)
    for name, points in stored(run, uri).items():
        steps = [step for step, _, _ in points]
        assert steps == sorted(set(steps)), name
        assert [(step, value) for step, value, _ in points] == [
            (step, value) for step, value, _ in journalled(run)[name]
        ]


@pytest.mark.parametrize(
    "states, status",
    [
        (["planned"], "SCHEDULED"),
        (["planned", "running"], "RUNNING"),
        (["running", "requeued"], "SCHEDULED"),
        (["running", "completed"], "FINISHED"),
        (["running", "failed"], "FAILED"),
        (["running", "timeout"], "FAILED"),
        (["running", "cancelled"], "KILLED"),
        (["running", "stopped"], "KILLED"),
        (["running", "stopped", "running"], "RUNNING"),
        (["running", "paused"], "FINISHED"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else value,
)
def test_mlflow_has_the_status_of_the_run_and_its_reason(tmp_path, uri, states, status):
    run = run_for(uri, tmp_path)
    for state in states:
        Journal(run.journal).append("state", state=state, reason=f"because {state}")
        sync_run(run)
    found = mlflow_run(run, uri)
    assert found.info.status == status
    assert found.data.tags["hpcdl.state"] == states[-1]
    assert found.data.tags["hpcdl.reason"] == f"because {states[-1]}"
    assert found.info.end_time is not None or status in ("RUNNING", "SCHEDULED")


def test_parameters_tags_and_files_describe_the_run(tmp_path, uri):
    from mlflow import MlflowClient

    run = run_for(uri, tmp_path, model={"name": "ffnn", "hidden": [7, 5]})
    picture = run.artifacts / "predictions" / "step-00000001.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"a picture")
    log = Journal(run.journal)
    log.append("started", attempt="1", step=0, cut=0, environment={"packages": {"torch": "2"}})
    log.append("artifact", step=1, path="artifacts/predictions/step-00000001.png", caption="x")
    sync_run(run)
    found = mlflow_run(run, uri)
    assert found.info.run_name == run.id
    assert found.data.params["model.hidden"] == "[7, 5]"
    assert found.data.params["train.optimizer.lr"] == "0.001"
    assert found.data.tags["hpcdl.run_dir"] == str(run.path)
    client = MlflowClient(tracking_uri=uri)
    files = {item.path for item in client.list_artifacts(found.info.run_id)}
    assert {"spec.yaml", "plan.json", "provenance.json", "environment.json"} <= files
    folder = client.list_artifacts(found.info.run_id, "artifacts/predictions")
    assert [item.path for item in folder] == ["artifacts/predictions/step-00000001.png"]
    assert (tmp_path / "mlartifacts").is_dir()


def test_a_locked_sqlite_store_times_out_naming_the_process(tmp_path, uri):
    run = run_for(uri, tmp_path)
    write_history(Journal(run.journal), 1, 5)
    with store.open_store(uri):
        with pytest.raises(
            LockTimeout, match=rf"another process is writing to .*: process {os.getpid()} on"
        ):
            sync_run(run)
        assert is_pending(run)
    assert sync_run(run).points == 11


@pytest.mark.nightly
def test_a_sqlite_file_locked_by_another_program_is_retried_later(tmp_path, uri):
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 5)
    sync_run(run)
    write_history(log, 6, 10)
    with sqlite3.connect(tmp_path / "mlflow.db") as other:
        other.execute("begin exclusive")
        assert "did not take it" in sync_elsewhere(run).communicate(timeout=120)[1]
    sync_run(run)
    assert same(run, uri)


def test_processes_that_start_on_a_fresh_sqlite_store_all_succeed(tmp_path):
    uri = f"sqlite:///{tmp_path}/fresh.db"
    with sqlite3.connect(tmp_path / "fresh.db.new") as half_made:  # by a process that was killed
        half_made.execute("create table alembic_version as select '75868b020152' as version_num")
    runs = [run_for(uri, tmp_path) for _ in range(3)]
    for run in runs:
        write_history(Journal(run.journal), 1, 50)
    for process in [sync_elsewhere(run) for run in runs]:
        _, complaint = process.communicate(timeout=200)
        assert process.returncode == 0, complaint
    assert all(same(run, uri) for run in runs)


def test_a_store_has_its_name_only_once_it_is_whole(tmp_path, monkeypatch):
    def end_early(uri, artifacts):
        store_uri.sqlite_file(uri).touch()
        raise OSError("killed")

    monkeypatch.setattr("mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore", end_early)
    with pytest.raises(UserError, match="killed"), store.open_store(f"sqlite:///{tmp_path}/m.db"):
        pass
    assert not (tmp_path / "m.db").exists()


def test_the_plan_names_the_store(tmp_path, uri):
    assert read_json(run_for(uri, tmp_path).plan)["tracking_uri"] == uri


@pytest.mark.parametrize(
    "uri, folder",
    [
        ("sqlite:////scratch/store/mlflow.db", "/scratch/store/mlartifacts"),
        ("postgresql://me:geheim@db.example.org/mlflow", "/runs/mlartifacts"),
        ("mysql+pymysql://db.example.org/mlflow", "/runs/mlartifacts"),
        ("https://mlflow.example.org", None),
        ("databricks://profile", None),
    ],
)
def test_artifacts_lie_beside_the_sqlite_file_or_the_runs(uri, folder):
    found = store_uri.artifact_folder(uri, Path("/runs"))
    assert found == (Path(folder) if folder else None)
    assert store_uri.is_database(uri) == (folder is not None)


def test_a_missing_database_driver_is_reported_without_the_password(tmp_path):
    run = run_for("postgresql+nobodys://me:geheim@127.0.0.1:9/mlflow", tmp_path)
    write_history(Journal(run.journal), 1, 5)
    with pytest.raises(store.StoreUnavailable, match="nobodys") as away:
        sync_run(run)
    assert "geheim" not in str(away.value)
