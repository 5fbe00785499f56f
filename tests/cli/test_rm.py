"""`hpcdl rm`: a run folder, its MLflow run and its artifacts are removed together."""

import json
from pathlib import Path

import pytest

from hpc_dl.cli import main, run_removal
from hpc_dl.run import removal
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.tracking.cursor import Cursor
from hpc_dl.tracking.sync import sync_run
from tests.support import exports, sweeps
from tests.support.stores import Server, run_for

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all runs that hpcdl finds."""
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path / "runs"))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    return tmp_path / "runs"


def ended(uri: str, root: Path, name: str = "sw") -> RunDir:
    run = run_for(uri, root, name=name)
    log = Journal(run.journal)
    log.append("metrics", step=1, epoch=0, values={"train/loss": 1.0})
    log.append("state", state="completed", reason="all steps")
    log.close()
    return run


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_nothing_is_removed_without_yes_and_all_of_it_with_yes_and_nothing_else(
    uri: str, root: Path, tmp_path: Path, capsys: Capture
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    runs = [ended(uri, root) for _ in range(2)]
    exports.export(runs[0].export, *exports.MEMBERS["ffnn of tables"])
    for one in runs:
        sync_run(one, 60)
    client = MlflowClient(tracking_uri=uri)
    ids = [str(Cursor.load(one).mlflow_id) for one in runs]
    kept = files_of(tmp_path / "mlartifacts" / ids[1])
    (model,) = client.get_run(ids[0]).outputs.model_outputs
    other = client.create_experiment("deleted, and may be restored")
    client.delete_experiment(other)

    assert main(["rm", "sw-1"]) == 0
    out = capsys.readouterr().out
    assert str(runs[0].path) in out
    assert ids[0] in out
    assert "--yes" in out
    assert client.get_run(ids[0]).info.lifecycle_stage == "active"

    assert main(["rm", "sw-1", "--yes"]) == 0
    assert not runs[0].path.exists()
    for gone in (lambda: client.get_run(ids[0]), lambda: client.get_logged_model(model.model_id)):
        with pytest.raises(MlflowException, match="not found"):
            gone()
    assert files_of(tmp_path / "mlartifacts") == kept
    assert kept
    assert client.get_run(ids[1]).info.lifecycle_stage == "active"
    assert client.get_experiment(other).lifecycle_stage == "deleted"
    assert main(["status", "sw-2"]) == 0


@pytest.mark.nightly
def test_a_server_loses_the_artifacts_and_keeps_the_run_as_deleted(
    root: Path, tmp_path: Path, capsys: Capture
) -> None:
    from mlflow import MlflowClient

    server = Server(tmp_path)
    server.start()
    try:
        run = ended(server.uri, root)
        exports.export(run.export, *exports.MEMBERS["ffnn of tables"])
        sync_run(run, 60)
        assert files_of(tmp_path / "artifacts")
        mlflow_id = str(Cursor.load(run).mlflow_id)
        assert main(["rm", "sw", "--yes"]) == 0
        assert "the server keeps the run as deleted" in capsys.readouterr().out
        found = MlflowClient(tracking_uri=server.uri).get_run(mlflow_id)
        assert found.info.lifecycle_stage == "deleted"
        assert not files_of(tmp_path / "artifacts")
        assert not run.path.exists()
    finally:
        server.kill()


def test_an_interrupted_removal_leaves_no_half_of_a_run_and_clean_takes_the_rest(
    uri: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ended(uri, root)
    sync_run(run, 60)
    (run.checkpoints / "step-1").mkdir(parents=True)

    rmtree = removal.shutil.rmtree

    def interrupted(folder: Path, **options: bool) -> None:
        if Path(folder).name == ".removing-sw-1":
            raise KeyboardInterrupt
        rmtree(folder, **options)

    with monkeypatch.context() as patch:
        patch.setattr(removal.shutil, "rmtree", interrupted)
        assert main(["rm", "sw", "--yes"]) == 130
    assert not run.path.exists()
    assert main(["status", "sw"]) == 2
    (left,) = removal.leftovers(root)
    assert files_of(left)
    assert main(["clean", "--orphans", "--yes"]) == 0
    assert not removal.leftovers(root)


def test_a_run_that_may_train_is_refused_and_a_copy_leaves_the_run_of_the_original(
    uri: str, root: Path, capsys: Capture
) -> None:
    import shutil

    from mlflow import MlflowClient

    run = ended(uri, root)
    sync_run(run, 60)
    shutil.copytree(run.path, root / "copy-1")
    active = ended(uri, root, "active")
    Journal(active.journal).append("state", state="running")
    Submission("slurm", "17", "here", 0.0).save(active)
    assert main(["rm", "*", "--yes"]) == 1
    assert "active-1" in capsys.readouterr().err
    assert run.path.exists()
    assert main(["rm", "copy-1", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["mlflow"] is None
    found = MlflowClient(tracking_uri=uri).get_run(str(Cursor.load(run).mlflow_id))
    assert found.info.lifecycle_stage == "active"


def test_a_registered_model_is_removed_only_when_said(
    uri: str, root: Path, capsys: Capture
) -> None:
    from mlflow import MlflowClient

    run = ended(uri, root)
    exports.export(run.export, *exports.MEMBERS["ffnn of tables"])
    sync_run(run, 60)
    client = MlflowClient(tracking_uri=uri)
    found = client.get_run(str(Cursor.load(run).mlflow_id))
    client.create_registered_model("iris")
    client.create_model_version("iris", found.info.artifact_uri, found.info.run_id)
    assert main(["rm", "sw", "--yes"]) == 2
    assert "registered model iris" in capsys.readouterr().err
    assert run.path.exists()
    assert main(["rm", "sw", "--yes", "--registered"]) == 0
    assert not client.search_model_versions("name = 'iris'")


def test_runs_that_name_a_removed_one_are_told(uri: str, root: Path, capsys: Capture) -> None:
    run, reads, waits = (ended(uri, root, name) for name in ("sw", "reads", "waits"))
    reads.spec.write_text(f"model: {{classifier: {run.export}}}\n")
    waits.spec.write_text("after:\n- sw-1\n")
    assert main(["rm", "sw", "--folder-only"]) == 0
    warned = capsys.readouterr().err.splitlines()
    assert sorted(it.split()[4] for it in warned) == ["reads-1", "waits-1"]


@pytest.mark.parametrize(("count", "text"), [(0, "0 bytes"), (1500, "1.5 kB"), (2.5e9, "2.5 GB")])
def test_sizes_are_for_people(count: float, text: str) -> None:
    assert run_removal.size(count) == text


def test_a_sweep_goes_with_its_runs_and_its_page(
    uri: str, root: Path, tmp_path: Path, capsys: Capture
) -> None:
    from mlflow import MlflowClient

    kept, sweep = ended(uri, root), sweeps.sweep_of(uri, root, [0.1, 0.01])
    for one in (kept, sweep.run(1), sweep.run(2)):
        sync_run(one, 60)
    client = MlflowClient(tracking_uri=uri)
    experiment = [client.get_run(str(Cursor.load(kept).mlflow_id)).info.experiment_id]
    assert len(client.search_runs(experiment)) == 4  # and the sweep's own
    assert main(["sweep", "rm", "quick"]) == 0
    out = capsys.readouterr().out
    assert [line.partition(":")[0] for line in out.splitlines() if ": /" in line] == [
        *("quick.s1-1", "quick.s1-2", "quick.s1")
    ]
    assert len(client.search_runs(experiment)) == 4
    assert main(["sweep", "rm", "quick", "--yes"]) == 0
    assert [it.name for it in root.iterdir() if it.is_dir()] == [kept.id]
    assert [it.info.run_id for it in client.search_runs(experiment)] == [
        Cursor.load(kept).mlflow_id
    ]


def test_a_sweep_whose_tasks_are_at_work_is_refused(
    uri: str, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    from hpc_dl.scheduler.local.scheduler import Local

    sweeps.sweep_of(uri, root, [0.1])
    monkeypatch.setattr(Local, "count_tasks", lambda *_: 2)
    assert main(["sweep", "rm", "quick", "--yes"]) == 1
    assert "2 of the tasks of quick.s1 wait or run" in capsys.readouterr().err
    assert (root / "quick.s1-1").is_dir()
