"""A run folder that was moved or copied: its MLflow run goes with it, and nothing goes back."""

import dataclasses
import hashlib
import shutil
from pathlib import Path

import pytest

from hpc_dl.cli import main
from hpc_dl.errors import UserError
from hpc_dl.planning.plan import Plan
from hpc_dl.run import lease, records
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir, read_json
from hpc_dl.run.process_identity import Process
from hpc_dl.run.submission import Submission
from hpc_dl.status import read_status
from hpc_dl.submission.prepare import replan
from hpc_dl.tracking import description, downloads, orphans, relocation, store, store_uri
from hpc_dl.tracking.cursor import Cursor
from hpc_dl.tracking.sync import is_pending, sync_run
from tests.support import empty_store, exports
from tests.support.stores import Server, mlflow_run, run_for, same, write_history

Capture = pytest.CaptureFixture[str]


def ended(root: Path, uri: str = "", *, exported: bool = False) -> RunDir:
    """A completed run with a checkpoint, whose store is beside it unless given."""
    empty_store.put(root)
    run = run_for(uri or f"sqlite:///{root}/mlflow.db", root)
    save_checkpoint(run, 5)
    if exported:
        exports.export(run.export, *exports.MEMBERS["ffnn of tables"])
    log = Journal(run.journal)
    write_history(log, 1, 5)
    log.append("state", state="completed", reason="all steps")
    return run


def save_checkpoint(run: RunDir, step: int) -> Path:
    state = run.checkpoints / f"step-{step:08d}" / "state.pt"
    state.parent.mkdir()
    state.write_bytes(b"weights of step %d" % step)
    return state


def train_on(run: RunDir, first: int, last: int) -> None:
    """Journal what a resumed attempt would."""
    log = Journal(run.journal)
    write_history(log, first, last)
    log.append("state", state="failed", reason="of itself")


def content(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def runs_in(uri: str) -> list[str]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    (experiment,) = [it for it in client.search_experiments() if it.name == "hpcdl"]
    return [it.info.run_id for it in client.search_runs([experiment.experiment_id])]


def test_a_moved_root_keeps_its_mlflow_runs_with_artifacts_and_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    import mlflow

    old, new = tmp_path / "former place", tmp_path / "new 100% place"
    run = ended(old, exported=True)
    monkeypatch.setenv("HPCDL_SITE", "generic")
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(old))
    assert main(["register", run.id, "digits", "--alias", "champion"]) == 0
    capsys.readouterr()
    shutil.copytree(old, new)
    shutil.rmtree(old)
    moved, uri = RunDir(new / run.id), f"sqlite:///{new}/mlflow.db"
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(new))
    assert main(["sync"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{run.id}: 0 points sent\n"  # the store has it all
    assert said.err == f"{new}/mlflow.db was in {old}: its paths now lead to {new}\n"

    found = mlflow_run(moved, uri)
    assert runs_in(uri) == [found.info.run_id]
    assert found.data.tags[description.RUN_TAG] == str(moved.path)
    file = mlflow.artifacts.download_artifacts(
        run_id=found.info.run_id, artifact_path="checkpoints/last/state.pt", tracking_uri=uri
    )
    assert Path(file).read_bytes() == b"weights of step 5"
    (tmp_path / "downloaded").mkdir()
    export = downloads.download("models:/digits@champion", uri, tmp_path / "downloaded")
    assert (export / "model.json").read_bytes() == (moved.export / "model.json").read_bytes()

    train_on(moved, 6, 10)
    assert sync_run(moved).points == 11
    assert same(moved, uri)
    assert runs_in(uri) == [found.info.run_id]
    assert not old.exists()
    assert main(["rm", run.id, "--yes", "--registered"]) == 0
    assert not runs_in(uri)
    assert not [path for path in (new / "mlartifacts").rglob("*") if path.is_file()]


def test_a_copy_writes_to_itself_alone_and_one_without_a_store_makes_its_own(
    tmp_path: Path, capsys: Capture
) -> None:
    run = ended(tmp_path / "old")
    sync_run(run)
    before = content(tmp_path / "old")
    whole = RunDir(tmp_path / "whole" / run.id)
    shutil.copytree(run.root, whole.root)
    alone = RunDir(tmp_path / "alone" / run.id)
    shutil.copytree(run.path, alone.path)
    empty_store.put(alone.root)
    train_on(whole, 6, 10)
    assert is_pending(alone)
    for copy, former in ((whole, True), (alone, False)):
        sync_run(copy)
        uri = f"sqlite:///{copy.root}/mlflow.db"
        assert same(copy, uri)
        found = mlflow_run(copy, uri)
        assert (found.info.run_id == Cursor.load(run).mlflow_id) == former
        assert found.info.artifact_uri.startswith((copy.root / "mlartifacts").as_uri())
        assert not is_pending(copy)
    assert content(tmp_path / "old") == before


@pytest.mark.nightly
def test_a_store_that_was_copied_before_the_run_went_on_gets_the_rest(tmp_path: Path) -> None:
    run = ended(tmp_path / "old")
    sync_run(run)
    (tmp_path / "new").mkdir()
    shutil.copy(run.root / "mlflow.db", tmp_path / "new")
    train_on(run, 6, 10)
    sync_run(run)
    copy = RunDir(shutil.copytree(run.path, tmp_path / "new" / run.id))
    sync_run(copy)
    assert same(copy, f"sqlite:///{tmp_path}/new/mlflow.db")


def test_a_copy_beside_the_original_with_the_same_store_is_logged_once_until_it_goes_on(
    tmp_path: Path, uri: str
) -> None:
    run = ended(tmp_path / "one", uri)
    copy = RunDir(tmp_path / "two" / run.id)
    shutil.copytree(run.path, copy.path)  # of which nothing was sent yet
    sync_run(run)
    (first,) = runs_in(uri)
    before = mlflow_run(run, uri).data.tags
    sync_run(copy)
    assert not is_pending(copy)
    assert runs_in(uri) == [first]
    assert mlflow_run(run, uri).data.tags == before
    train_on(copy, 6, 10)
    (note,) = sync_run(copy).notes
    assert first in note
    assert len(runs_in(uri)) == 2
    assert same(copy, uri)
    assert same(run, uri)
    assert mlflow_run(run, uri).data.tags == before


def test_copies_that_do_not_see_each_other_are_told_apart_once_both_go_on(
    tmp_path: Path, uri: str
) -> None:
    run = ended(tmp_path / "one", uri)
    sync_run(run)
    (first,) = runs_in(uri)
    copy = RunDir(tmp_path / "two" / run.id)
    shutil.copytree(run.path, copy.path)
    elsewhere = run.root.rename(tmp_path / "another cluster")
    train_on(copy, 6, 10)
    assert not sync_run(copy).notes
    assert runs_in(uri) == [first]
    assert same(copy, uri)
    copy.root.rename(tmp_path / "out of sight")
    elsewhere.rename(run.root)
    train_on(run, 6, 8)
    (note,) = sync_run(run).notes
    assert first in note
    assert len(runs_in(uri)) == 2
    assert same(run, uri)
    (tmp_path / "out of sight").rename(copy.root)
    train_on(copy, 11, 12)
    assert not sync_run(copy).notes
    assert len(runs_in(uri)) == 2
    assert same(copy, uri)


def test_a_sync_after_a_folder_was_renamed_leaves_no_orphan(tmp_path: Path) -> None:
    run = ended(tmp_path)
    sync_run(run)
    renamed = RunDir(run.path.rename(tmp_path / "better-1"))
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert is_pending(renamed)
    sync_run(renamed)
    assert not is_pending(renamed)
    assert mlflow_run(renamed, uri).data.tags[description.RUN_TAG] == str(renamed.path)
    assert orphans.find(uri, tmp_path, [], 60) == orphans.Orphans([], set())
    assert same(renamed, uri)


@pytest.mark.nightly
def test_a_moved_run_goes_on_in_its_run_of_a_server_and_a_copy_beside_it_in_another(
    tmp_path: Path,
) -> None:
    shutil.copy(empty_store.made(), tmp_path / "server.db")
    server = Server(tmp_path)
    server.start()
    try:
        run = ended(tmp_path / "one", server.uri, exported=True)
        sync_run(run)
        (first,) = runs_in(server.uri)
        moved = RunDir(tmp_path / "two" / run.id)
        run.root.rename(moved.root)
        assert not is_pending(moved)
        train_on(moved, 6, 9)
        assert sync_run(moved).points == 8
        assert runs_in(server.uri) == [first]
        assert mlflow_run(moved, server.uri).data.tags[description.RUN_TAG] == str(moved.path)
        copy = RunDir(tmp_path / "three" / run.id)
        shutil.copytree(moved.path, copy.path)
        train_on(copy, 10, 12)
        sync_run(copy)
        assert len(runs_in(server.uri)) == 2
        assert same(copy, server.uri)
        assert same(moved, server.uri)
        assert mlflow_run(copy, server.uri).outputs.model_outputs
    finally:
        server.kill()


def test_a_sync_during_which_the_root_is_moved_makes_no_store_in_the_former_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ended(tmp_path / "old")
    monkeypatch.setattr(store, "import_client", lambda _: run.root.rename(tmp_path / "new"))
    with pytest.raises(UserError, match=f"{run.path}: No such file"):
        sync_run(run)
    assert not run.root.exists()


def test_the_file_of_a_store_under_another_path_is_not_taken_for_a_moved_one(
    tmp_path: Path, capsys: Capture
) -> None:
    run = ended(tmp_path / "runs")
    (tmp_path / "link").symlink_to(run.root)
    before = (run.root / "mlflow.db").read_bytes()
    relocation.repair(tmp_path / "link" / "mlflow.db", tmp_path / "link" / "mlartifacts")
    assert (run.root / "mlflow.db").read_bytes() == before
    assert store_uri.load(RunDir(tmp_path / "link" / run.id)) == f"sqlite:///{run.root}/mlflow.db"
    assert capsys.readouterr().err == ""


def test_a_copy_has_neither_the_job_nor_the_lease_of_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_for("sqlite:///x.db", tmp_path / "old")
    Journal(run.journal).append("state", state="running")
    submission = Submission("local", "1", "here", 1.0)
    submission.save(run)
    lease._make(run, 1, lease.Holder(submission, 0, Process.own(), "here", 1.0))
    copy = RunDir(tmp_path / "new" / run.id)
    shutil.copytree(run.path, copy.path)
    status = read_status(copy)
    assert (status.state, status.active, status.holder) == ("failed", False, "")
    assert status.reason == f"a copy of {run.path}, which has its job"
    before = content(run.path)
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(copy.root))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    main(["cancel", copy.id])
    plan = Plan.from_json(read_json(copy.plan))
    replan(copy, records.load_spec(copy), dataclasses.replace(plan, run_dir=str(copy.path)))
    assert lease.newest(copy) == (0, None)  # once it is planned again, its leases are its own
    assert content(run.path) == before


def test_a_checkpoint_and_a_model_take_their_bytes_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    from mlflow import MlflowClient

    run = ended(tmp_path / "runs", exported=True)
    uri = str(store_uri.load(run))
    sync_run(run)
    found = mlflow_run(run, uri)
    (model,) = found.outputs.model_outputs
    location = MlflowClient(tracking_uri=uri).get_logged_model(model.model_id).artifact_location
    weights = Path(location.removeprefix("file://"), "data", "export", "weights.safetensors")
    assert weights.samefile(run.export / "weights.safetensors")
    older = run.checkpoints / "step-00000005" / "state.pt"
    stored = Path(found.info.artifact_uri.removeprefix("file://"), "checkpoints/last/state.pt")
    assert stored.samefile(older)

    newer = save_checkpoint(run, 9)
    train_on(run, 6, 9)
    sync_run(run)
    assert stored.samefile(newer)
    assert older.read_bytes() == b"weights of step 5"

    def no_links(*_: object) -> None:
        raise OSError("no hard links here")

    save_checkpoint(run, 12)
    train_on(run, 10, 12)
    with monkeypatch.context() as patch:
        patch.setattr("os.link", no_links)
        sync_run(run)
    assert stored.read_bytes() == b"weights of step 12"
    assert newer.read_bytes() == b"weights of step 9"
