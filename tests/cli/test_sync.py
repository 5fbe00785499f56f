"""`hpcdl sync` brings one run or all, says what it did, and what it could not do."""

import json
import socket

import pytest

from hpc_dl import cli
from hpc_dl.run.journal import Journal
from hpc_dl.tracking import store
from hpc_dl.tracking.lock import LockTimeout
from tests.support.stores import run_for, same, write_history


@pytest.fixture(autouse=True)
def folder_of_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def waiting_run(uri, folder):
    run = run_for(uri, folder)
    write_history(Journal(run.journal), 1, 5)
    return run


def test_sync_of_one_run_leaves_the_others_alone(tmp_path, uri, capsys):
    first, second = waiting_run(uri, tmp_path), waiting_run(uri, tmp_path)
    assert cli.main(["sync", first.id]) == 0
    assert capsys.readouterr().out == f"{first.id}: 11 points and files sent\n"
    assert same(first, uri)
    assert not second.tracking.exists()


def test_sync_of_all_runs_continues_after_an_error(tmp_path, uri, capsys):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://me:geheim@127.0.0.1:{probe.getsockname()[1]}"
        away, broken = waiting_run(nobody, tmp_path), waiting_run(uri, tmp_path)
        broken.plan.unlink()
        fine = waiting_run(uri, tmp_path)
        assert cli.main(["sync", "--all", "--json"]) == 1
    printed = capsys.readouterr().out
    said = {entry["run"]: entry for entry in json.loads(printed)}
    assert said[fine.id] == {"run": fine.id, "points": 11, "complete": True}
    assert "did not take it" in said[away.id]["error"]
    assert "has no plan.json" in said[broken.id]["error"]
    assert "geheim" not in printed
    assert same(fine, uri)


def test_the_holder_of_a_lock_is_named(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    here = f"on {socket.gethostname()}"
    with (
        store.open_store(uri),
        pytest.raises(LockTimeout, match=here),
        store.open_store(uri, 0.2),
    ):
        pass
