"""A real MLflow server: down at first, killed in between, used by two processes at once."""

import math
from pathlib import Path

import pytest

from hpc_dl.run.journal import Journal
from hpc_dl.tracking.store import StoreUnavailable
from hpc_dl.tracking.sync import sync_run
from tests.support.stores import (
    Server,
    mlflow_run,
    run_for,
    same,
    stored,
    sync_elsewhere,
    write_history,
)


def test_a_server_that_dies_repeatedly_gets_everything_once(tmp_path):
    server = Server(tmp_path)
    run = run_for(server.uri, tmp_path)
    log = Journal(run.journal)
    write_history(log, 1, 20)
    with pytest.raises(StoreUnavailable):  # offline from the beginning
        sync_run(run)
    try:
        server.start()
        sync_run(run)
        write_history(log, 21, 40)
        server.kill()
        with pytest.raises(StoreUnavailable):
            sync_run(run)
        write_history(log, 41, 60)
        log.append("state", state="completed", reason="all steps")
        server.start()
        sync_run(run)
        assert same(run, server.uri)
        assert mlflow_run(run, server.uri).info.status == "FINISHED"
        two_processes_make_one_run(server, tmp_path)
        a_password_in_the_uri_is_not_told(server, tmp_path)
    finally:
        server.kill()


def two_processes_make_one_run(server, folder):
    """A server is under no lock; the run's own sees to it."""
    from mlflow import MlflowClient

    run = run_for(server.uri, folder, tracking={"experiment": "together"})
    (run.code / "user's own").mkdir(parents=True)
    (run.code / "user's own" / "100% #1?.py").write_text("")
    log = Journal(run.journal)
    write_history(log, 1, 700)
    log.append("metrics", step=701, epoch=0, values={"odd": math.nan, "out/of bounds!": math.inf})
    for process in [sync_elsewhere(run), sync_elsewhere(run)]:
        _, complaint = process.communicate(timeout=200)
        assert process.returncode == 0, complaint
    client = MlflowClient(tracking_uri=server.uri)
    experiment = client.get_experiment_by_name("together").experiment_id
    (found,) = client.search_runs([experiment])
    (code,) = client.list_artifacts(found.info.run_id, "code/user's own")
    assert code.path == "code/user's own/100_25_ _23_1_3f_.py"
    arrived = stored(run, server.uri)
    assert math.isnan(arrived.pop("odd")[0][1])
    assert len(arrived.pop("out/of bounds_")) == 1
    assert {name: len(points) for name, points in arrived.items()} == {
        "train/loss": 700,
        "lr": 700,
        "val/loss": 140,
    }


def a_password_in_the_uri_is_not_told(server, folder):
    from mlflow import MlflowClient

    uri = server.uri.replace("//", "//me:geheim@")
    run = run_for(uri, folder, tracking={"uri": uri})
    write_history(Journal(run.journal), 1, 5)
    sync_run(run)
    assert same(run, server.uri)
    found, client = mlflow_run(run, server.uri), MlflowClient(tracking_uri=server.uri)
    said = str({**found.data.params, **found.data.tags})
    for file in client.list_artifacts(found.info.run_id):
        if not file.is_dir:
            said += Path(client.download_artifacts(found.info.run_id, file.path)).read_text()
    assert "me:geheim" not in said
    assert "//***@127.0.0.1" in said
    server.kill()
    write_history(Journal(run.journal), 6, 10)
    with pytest.raises(StoreUnavailable) as away:
        sync_run(run)
    assert "geheim" not in str(away.value)
    assert "geheim" not in run.tracking.read_text()
