"""Files are uploaded after the metrics: an artifact store that refuses them blocks nothing else."""

import os
import threading

import pytest

from hpc_dl import cli
from hpc_dl.cli.dashboard import _Syncer
from hpc_dl.run.journal import Journal
from hpc_dl.tracking import sync_worker, uploads
from hpc_dl.tracking.files import Upload
from hpc_dl.tracking.sync import is_pending, sync_journal, sync_run
from hpc_dl.tracking.uploads import FilesPending, Uploads
from tests.support.stores import Server, mlflow_run, run_for, same, write_history
from tests.support.waiting import wait_until

FILES = {"spec.yaml", "plan.json", "provenance.json", "environment.json", "code.diff"}
CHECKPOINT = {"checkpoints/last/state.pt", "checkpoints/last/shards/__0_0.distcp"}


def ended_run(uri, folder, **sections):
    """A run with metrics, a picture and a checkpoint of fsdp, which has failed."""
    run = run_for(uri, folder, **sections)
    picture = run.artifacts / "step-1.png"
    picture.write_bytes(b"a picture")
    checkpoint = run.checkpoints / "step-00000005" / "state.pt"
    shard = checkpoint.parent / "shards" / "__0_0.distcp"
    shard.parent.mkdir(parents=True)
    for file in (checkpoint, shard):
        file.write_bytes(b"weights")
    log = Journal(run.journal)
    log.append("started", attempt="1", step=0, cut=0, environment={"host": "here"})
    write_history(log, 1, 5)
    log.append("artifact", step=1, path="artifacts/step-1.png", caption="")
    log.append("state", state="failed", reason="of itself")
    return run


def names(run, uri):
    """Every file of the run in the store, as MLflow's own client lists them."""
    from mlflow import MlflowClient

    client, mlflow_id = MlflowClient(tracking_uri=uri), mlflow_run(run, uri).info.run_id

    def under(folder):
        for item in client.list_artifacts(mlflow_id, folder):
            yield from under(item.path) if item.is_dir else [item.path]

    return set(under(None))


def all_but_files_are_there(run, uri):
    assert same(run, uri)
    found = mlflow_run(run, uri)
    assert found.info.status == "FAILED"
    assert found.info.end_time is not None
    assert found.data.tags["hpcdl.state"] == "failed"
    assert found.data.params["model.hidden"]


@pytest.fixture
def refusing(tmp_path):
    """The place of a SQLite store's artifacts, which is none: writing there fails, for root too."""
    place = tmp_path / "mlartifacts"
    place.write_text("a file, no folder")
    return place


def test_an_artifact_store_that_is_down_delays_only_the_files(tmp_path, uri, refusing):
    run = ended_run(uri, tmp_path)
    for _ in range(2):
        with pytest.raises(FilesPending, match=r"\d files of quick-1 wait") as waiting:
            sync_run(run)
        all_but_files_are_there(run, uri)
        assert is_pending(run)
    assert str(refusing) in waiting.value.message
    assert "spec.yaml" in waiting.value.message
    before = mlflow_run(run, uri).info
    refusing.unlink()
    sync_run(run)
    assert not is_pending(run)
    expected = FILES | CHECKPOINT | {"artifacts/step-1.png"}
    assert names(run, uri) >= expected
    after = mlflow_run(run, uri).info
    assert (after.status, after.end_time) == (before.status, before.end_time)


@pytest.mark.parametrize(
    "root, reason",
    [
        ("s3://bucket/runs", "No module named 'boto3'"),
        ("gs://bucket/runs", "google"),
        ("nobodys://bucket", "nobodys"),
    ],
)
def test_the_error_says_what_an_artifact_store_lacks(tmp_path, uri, root, reason):
    from mlflow import MlflowClient

    MlflowClient(tracking_uri=uri).create_experiment("elsewhere", artifact_location=root)
    run = ended_run(uri, tmp_path, tracking={"experiment": "elsewhere"})
    with pytest.raises(FilesPending, match=reason) as waiting:
        sync_run(run)
    assert root in waiting.value.message
    all_but_files_are_there(run, uri)


def test_one_refused_file_blocks_no_other(tmp_path, uri):
    run = ended_run(uri, tmp_path)
    reserved = run.code / ".artifact.uploading.py"  # a name that MLflow keeps for itself
    reserved.parent.mkdir(exist_ok=True)
    reserved.write_text("")
    with pytest.raises(FilesPending, match=r"1 files .*code/\.artifact\.uploading\.py.*reserved"):
        sync_run(run)
    all_but_files_are_there(run, uri)
    assert names(run, uri) >= FILES | CHECKPOINT | {"artifacts/step-1.png"}
    assert list(Uploads.load(run, uploads.Cursor.load(run)).waiting) == [
        "code/.artifact.uploading.py"
    ]


def test_missing_files_and_files_of_others_are_not_pending(tmp_path, uri):
    (tmp_path / "secret").write_text("of another run")
    run = ended_run(uri, tmp_path)
    log = Journal(run.journal)
    for path in (
        "artifacts/gone.png",
        "/etc/hostname",
        "../secret",
        "a\0b",
        "n" * 300,
        "",
        ".",
        "\ud800",
    ):
        log.append("artifact", step=2, path=path, caption="")
    sync_run(run)
    assert not is_pending(run)
    assert not {"hostname", "secret"} & {name.split("/")[-1] for name in names(run, uri)}


def test_a_checkpoint_replaced_during_its_upload_stays_pending(tmp_path, uri):
    run = ended_run(uri, tmp_path)
    older = run.checkpoints / "step-00000005"
    replaced = threading.Event()

    class Client:
        def log_artifact(self, *_):
            if not replaced.is_set():
                replaced.set()
                older.rename(run.checkpoints / "step-00000006")

    upload = Upload(run, Client(), "an id")
    with pytest.raises(Exception, match="a newer checkpoint has replaced it"):
        upload.send("checkpoints/last")
    upload.send("checkpoints/last")


def test_sync_sends_metrics_names_pending_files_and_uploads_them_later(
    tmp_path, uri, refusing, monkeypatch, capsys
):
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    runs = [ended_run(uri, tmp_path) for _ in range(2)]
    assert cli.main(["sync"]) == 1
    said = capsys.readouterr().out
    for run in runs:
        assert f"{run.id}: 11 points sent; " in said
        all_but_files_are_there(run, uri)
    assert f"Not a directory: {refusing}" in said
    assert cli.main(["status", runs[0].id]) == 1  # for it has failed
    said = capsys.readouterr().out
    assert "files wait for the artifact store" in said
    assert f"`hpcdl sync {runs[0].id}` sends what waits" in " ".join(said.split())
    _Syncer(tmp_path).sync()  # as the dashboard does, which goes on
    refusing.unlink()
    wait_until(lambda: cli.main(["sync"]) == 0, message="sync to have the files taken")
    assert not any(is_pending(run) for run in runs)


def test_status_names_files_whose_upload_was_cut_short(tmp_path, uri, monkeypatch, capsys):
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    run = ended_run(uri, tmp_path)
    sync_journal(run)
    Uploads(mlflow_run(run, uri).info.run_id, 0, {"artifacts/step-1.png": ""}).save(run)
    assert cli.main(["status", run.id]) == 1  # for it has failed
    said = " ".join(capsys.readouterr().out.split())
    assert "1 file waits for the artifact store: artifacts/step-1.png: not sent yet" in said
    assert f"`hpcdl sync {run.id}` sends what waits" in said
    assert uploads.describe_pending(run, has_ended=False) == ""  # it is being sent
    assert cli.main(["sync", run.id]) == 0
    assert "0 points and files sent" in capsys.readouterr().out
    assert uploads.describe_pending(run, has_ended=True) == ""


def test_a_hanging_upload_delays_neither_metrics_nor_the_end(tmp_path, uri, monkeypatch, capsys):
    run = run_for(uri, tmp_path)
    log = Journal(run.journal)
    hanging, go_on, original = threading.Event(), threading.Event(), Upload.file

    def hang(upload, name):
        hanging.set()
        go_on.wait(60)
        original(upload, name)

    monkeypatch.setattr(Upload, "file", hang)
    monkeypatch.setattr(sync_worker, "INTERVALS", (0.05, 0.05))
    training, ours = os.pipe()
    following = threading.Thread(target=sync_worker.follow, args=(run, training))
    following.start()
    try:
        write_history(log, 1, 5)
        assert hanging.wait(60)
        write_history(log, 6, 10)
        log.append("state", state="failed", reason="of itself")
        wait_until(lambda: same(run, uri), message="the points")
        wait_until(lambda: mlflow_run(run, uri).info.status == "FAILED", message="the end")
    finally:
        go_on.set()
        os.close(ours)
        following.join()
        os.close(training)
    assert not is_pending(run)
    assert capsys.readouterr().err == ""


def test_pending_files_are_logged_once_in_the_job(tmp_path, uri, refusing, monkeypatch, capsys):
    run = ended_run(uri, tmp_path)
    monkeypatch.setattr(sync_worker, "INTERVALS", (0.01, 0.01))
    monkeypatch.setattr(sync_worker, "MAX_INTERVAL", 0.01)
    training, ours = os.pipe()
    following = threading.Thread(target=sync_worker.follow, args=(run, training))
    following.start()
    wait_until(run.uploads.exists, message="the files to be tried")
    os.close(ours)
    following.join()
    os.close(training)
    said = [line.split(" ", 2)[2] for line in capsys.readouterr().err.splitlines()]
    assert said
    assert len(said) == len(set(said))
    assert f"Not a directory: {refusing}" in said[-1]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that hands out a folder which its clients cannot write."""
    folder = tmp_path_factory.mktemp("server")
    place = folder / "of the server"
    place.write_text("a file, no folder")
    server = Server(folder, "--no-serve-artifacts", "--default-artifact-root", place.as_uri())
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.mark.nightly
def test_a_server_with_a_local_artifact_root_gets_everything_but_files(tmp_path, server):
    run = ended_run(server.uri, tmp_path)
    with pytest.raises(FilesPending, match="Not a directory") as waiting:
        sync_run(run)
    all_but_files_are_there(run, server.uri)
    assert "of%20the%20server" in waiting.value.message
    assert "--serve-artifacts" in waiting.value.hint
    place = server.folder / "of the server"
    place.unlink()
    sync_run(run)
    assert names(run, server.uri) >= FILES | {"artifacts/step-1.png"}
