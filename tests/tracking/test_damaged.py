"""A damaged file of a run is named and rebuilt; the journal is the truth, and nothing doubles."""

import json

import pytest

from hpc_dl import cli
from hpc_dl.errors import UserError
from hpc_dl.run import journal
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir, read_json, write_json
from hpc_dl.tracking.batch import Batches
from hpc_dl.tracking.cursor import Cursor
from hpc_dl.tracking.store import StoreUnavailable
from hpc_dl.tracking.sync import is_pending, sync_run
from tests.support.stores import mlflow_run, run_for, same, stored, write_history

DAMAGES = [
    b"",
    b'{"store": "',
    b"null",
    b"[1, 2]",
    b"\xff\xfe",
    b'{"offset": "many"}',
    b'{"offset": -5}',
    b'{"mlflow_id": 7}',
    b'{"newest": {"train/loss": "x"}}',
    b'{"untold": "completed"}',
    b"[" * 100_000,
]


@pytest.fixture
def synced(tmp_path, uri):
    """A run whose journal is in the store up to the twentieth step, and not from there on."""
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 20)
    sync_run(run)
    write_history(log, 21, 30)
    log.append("state", state="failed", reason="of itself")
    return run


def test_a_damaged_cursor_is_named_and_rebuilt(synced, uri):
    first = Cursor.load(synced).mlflow_id
    for damage in DAMAGES:
        synced.tracking.write_bytes(damage)
        notes = sync_run(synced).notes
        assert any(f"{synced.tracking} is damaged" in note for note in notes), damage[:20]
        assert Cursor.load(synced).mlflow_id == first
        assert same(synced, uri), damage[:20]
        assert mlflow_run(synced, uri).info.status == "FAILED"
        assert not is_pending(synced)


def test_a_damaged_list_of_uploads_is_rebuilt(synced):
    for damage in (b"", b'{"waiting": []}', b'{"offset": 99999999}'):
        synced.uploads.write_bytes(damage)
        sync_run(synced)
        assert not is_pending(synced)


def test_a_cursor_beyond_the_end_of_the_journal_is_ignored(synced, uri):
    cursor = Cursor.load(synced)
    cursor.offset = synced.journal.stat().st_size + 1000
    cursor.save(synced)
    assert is_pending(synced)
    sync_run(synced)
    assert same(synced, uri)


def test_damaged_descriptions_of_a_run_do_not_block_the_sync(tmp_path, uri):
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    for step, damage in enumerate((b"", b"[]", b'{"git": [1], "command": 5}', b'{"git": {"": 1}}')):
        run.provenance.write_bytes(damage)
        run.submission.write_bytes(damage)
        log.append("started", attempt="1", step=step)
        log.append("metrics", step=step + 1, values={"train/loss": 0.5})
        sync_run(run)
    assert same(run, uri)


def test_sync_names_each_damaged_file_and_sends_the_other_runs(tmp_path, uri, monkeypatch, capsys):
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    with_password = "http://me:geheim@127.0.0.1:9"
    cursor, spec, plan, locked, directory, lost, other = (
        run_for(uri if number < 4 else with_password, tmp_path) for number in range(7)
    )
    fine = run_for(uri, tmp_path)
    runs = [cursor, spec, plan, locked, directory, lost, other, fine]
    for run in runs:
        write_history(Journal(run.journal), 1, 5)
    cursor.tracking.write_text("")
    spec.spec.write_text("no: spec")
    plan.plan.write_text("{")
    locked.tracking.with_suffix(".lock").mkdir()
    directory.tracking_uri.unlink()
    directory.tracking_uri.mkdir()
    lost.tracking_uri.unlink()
    other.tracking_uri.write_text("rubbish")
    assert cli.main(["sync", "--json"]) == 1
    printed = capsys.readouterr().out
    said = {entry["run"]: entry for entry in json.loads(printed)}
    assert said[fine.id] == {"run": fine.id, "points": 11, "complete": True}
    assert said[cursor.id]["complete"]
    assert str(cursor.tracking) in said[cursor.id]["notes"][0]
    for run, file in [
        (spec, spec.spec),
        (plan, plan.plan),
        (locked, locked.tracking.with_suffix(".lock")),
        (directory, directory.tracking_uri),
        (lost, lost.tracking_uri),
        (other, other.tracking_uri),
    ]:
        assert str(file) in said[run.id]["error"]
        assert "bug" not in said[run.id]["error"]
    assert "geheim" not in printed
    assert same(fine, uri)
    assert same(cursor, uri)


def test_the_error_for_a_lost_password_names_its_file(tmp_path):
    run = run_for("http://me:geheim@127.0.0.1:9", tmp_path)
    write_history(Journal(run.journal), 1, 5)
    run.tracking_uri.unlink()
    with pytest.raises(UserError, match=rf"{run.tracking_uri} is missing") as lost:
        sync_run(run)
    assert "for you alone" in lost.value.hint


ODD = [
    {"event": "metrics", "t": "nan", "step": 31, "values": {"a": 1.0}},
    {"event": "metrics", "t": "inf", "step": 31, "values": {"b": 1.0}},
    {"event": "metrics", "t": -1e300, "step": 31, "values": {"c": 1.0}},
    {"event": "metrics", "t": 1e300, "step": 31, "values": {"d": 1.0}},
    {"event": "metrics", "t": 1.0, "step": True, "values": {"e": 1.0}},
    {"event": "metrics", "t": 1.0, "step": 2**70, "values": {"e": 1.0}},
    {"event": "metrics", "t": 1.0, "step": -3, "values": {"e": 1.0}},
    {"event": "metrics", "t": 1.0, "step": 31, "values": {"f": 10**400, "g": "\ud800"}},
    {"event": "metrics", "t": 1.0, "step": 31, "values": {"\ud800\0": 2.0}},
    {"event": "started", "environment": {"slurm": ["job"], "gpu": "\ud800\0"}},
    {"event": "started", "environment": "none"},
    {"event": "state", "t": "nan", "state": "running", "reason": {"of": "it"}},
    {"event": "state", "t": "inf", "state": "failed", "reason": "\ud800\0 odd"},
    {"event": "artifact", "path": ["a"]},
]


def test_malformed_events_do_not_block_later_ones(tmp_path, uri):
    run = run_for(uri, tmp_path)
    with run.journal.open("a") as other:
        other.writelines(json.dumps(event) + "\n" for event in ODD)
        other.write("[" * 100_000 + "\n")
    log = Journal(run.journal)
    write_history(log, 32, 40)
    log.append("state", state="completed", reason="all steps")
    sync_run(run)
    arrived = stored(run, uri)
    assert [step for step, _, _ in arrived["train/loss"]] == list(range(32, 41))
    assert not {"e", "f", "g"} & set(arrived)
    assert mlflow_run(run, uri).info.status == "FINISHED"
    assert not is_pending(run)
    assert journal.last_state(run.journal)[0] == "completed"


def test_refused_items_are_reported_and_block_nothing_else(tmp_path, uri, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

    taken = MlflowClient.log_batch

    def of_old(client, mlflow_id, metrics=(), params=(), tags=()):
        """A server of before MLflow 2, which cannot be had here."""
        if any(":" in it.key for it in metrics) or any(len(it.value) > 250 for it in params):
            raise MlflowException("of old", INVALID_PARAMETER_VALUE)
        taken(client, mlflow_id, metrics, params, tags)

    monkeypatch.setattr(MlflowClient, "log_batch", of_old)
    run = run_for(uri, tmp_path, model={"name": "ffnn", "hidden": [1] * 200})
    log = Journal(run.journal)
    write_history(log, 1, 5)
    log.append("metrics", step=6, epoch=0, values={"odd:name": 1.0, "fine": 1.0})
    log.append("state", state="failed", reason="of itself")
    notes = sync_run(run).notes
    assert [note for note in notes if "metrics: odd:name" in note]
    found = mlflow_run(run, uri)
    assert found.info.status == "FAILED"
    assert found.data.params["model.hidden"].startswith("[1, 1, 1")
    assert found.data.params["train.epochs"] == "2"
    arrived = stored(run, uri)
    assert len(arrived["train/loss"]) == 5
    assert "fine" in arrived


def test_a_run_deleted_during_a_sync_loses_nothing(tmp_path, uri, monkeypatch):
    """What refuses everything is no fault of the single points, which are not to be left out."""
    from mlflow import MlflowClient

    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 5)
    sync_run(run)
    client, mlflow_id = MlflowClient(tracking_uri=uri), Cursor.load(run).mlflow_id
    write_history(log, 6, 10)
    send = Batches.metrics
    with monkeypatch.context() as patch:
        patch.setattr(Batches, "metrics", lambda *it: client.delete_run(mlflow_id) or send(*it))
        with pytest.raises(StoreUnavailable, match="must be in the 'active' state"):
            sync_run(run)
    client.restore_run(mlflow_id)
    sync_run(run)
    assert same(run, uri)


def test_unknown_fields_of_the_cursor_are_ignored(synced, uri):
    write_json(synced.tracking, {**read_json(synced.tracking), "files": ["spec.yaml"]})
    sync_run(synced)
    assert same(synced, uri)


def test_a_cursor_written_by_an_earlier_version_keeps_its_pending_state(tmp_path):
    run = RunDir(tmp_path)
    event = {"event": "state", "state": "failed", "reason": "of itself"}
    write_json(run.tracking, {"store": "sqlite:///x", "offset": 0, "untold": event})
    assert Cursor.load(run).pending_state == event
    Cursor.load(run).save(run)
    assert Cursor.load(run).pending_state == event
