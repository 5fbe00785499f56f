"""`hpcdl clean`: what nobody needs goes, and nothing else."""

import json
import os
import shutil
from pathlib import Path

import pytest

from hpc_dl.cli import main
from hpc_dl.run import removal
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.tracking.cursor import Cursor
from hpc_dl.tracking.sync import sync_run
from tests.support.stores import run_for
from tests.support.typed import use_settings

NO_STORE = "sqlite:////nowhere/mlflow.db"


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """The folder of all runs that hpcdl finds."""
    use_settings(monkeypatch, tmp_path)
    monkeypatch.setattr("tempfile.tempdir", None)  # $TMPDIR is the test's
    return tmp_path / "runs"


def ended(root: Path, state: str, uri: str = NO_STORE, **sections) -> RunDir:
    run = run_for(uri, root, **{"name": state, **sections})
    log = Journal(run.journal)
    log.append("state", state=state, reason=f"{state} for a reason")
    log.close()
    return run


def listed(capsys, *words: str) -> dict[str, list[str]]:
    """The names of what `clean` lists, by kind."""
    assert main(["clean", *words, "--json"]) == 0
    found: dict[str, list[str]] = {}
    for it in json.loads(capsys.readouterr().out)["items"]:
        found.setdefault(it["kind"], []).append(it["name"])
    return found


def test_runs_go_by_their_state_and_age_but_for_those_that_others_need(root, capsys):
    failed, needed, old = (ended(root, "failed") for _ in range(3))
    ended(root, "cancelled")
    completed = ended(root, "completed")
    running = ended(root, "running", after=[needed.id])
    Submission("slurm", "17", "here", 0.0).save(running)
    lines = old.journal.read_text().splitlines()
    old.journal.write_text("".join(json.dumps({**json.loads(it), "t": 1e9}) + "\n" for it in lines))

    assert listed(capsys) == {"failed": ["failed-1", "failed-3"], "cancelled": ["cancelled-1"]}
    assert listed(capsys, "--state", "failed", "--older-than", "30d") == {"failed": ["failed-3"]}
    assert main(["clean", "--yes"]) == 2
    assert main(["clean"]) == main(["clean", "--state", "failed"]) == 0
    every, chosen = capsys.readouterr().out.split("would be freed: ")[1:]
    assert every.startswith("choose by --state, --checkpoints or --orphans, and --yes removes it\n")
    assert chosen == "--yes removes it\n"
    assert failed.path.exists()
    assert main(["clean", "--state", "failed", "--yes"]) == 0
    said = capsys.readouterr()
    assert "failed for a reason" in said.out
    assert "failed-2 is left: running-1 needs it" in said.err
    there = {it.name for it in root.iterdir()}
    assert there == {needed.id, "cancelled-1", completed.id, running.id}


def test_of_a_completed_run_the_newest_and_the_best_checkpoint_stay(root, capsys):
    run, failed = ended(root, "completed"), ended(root, "failed")
    for folder in (run.checkpoints, failed.checkpoints):
        for step in (10, 20, 30):
            (folder / f"step-{step:08d}").mkdir(parents=True)
            (folder / f"step-{step:08d}" / "state.pt").write_bytes(os.urandom(20_000))
    shutil.copytree(
        run.checkpoints / "step-00000010", run.checkpoints / "best-00000010", copy_function=os.link
    )
    assert main(["clean", "--checkpoints", "--yes", "--json"]) == 0
    freed = json.loads(capsys.readouterr().out)["bytes"]
    assert 20_000 <= freed < 40_000  # the best has the other names of the first
    there = sorted(it.name for it in run.checkpoints.iterdir())
    assert there == ["best-00000010", "step-00000030"]
    assert len(list(failed.checkpoints.iterdir())) == 3


def test_a_killed_one_leaves_each_run_whole_or_gone(root, monkeypatch, capsys):
    runs = [ended(root, "failed") for _ in range(3)]
    whole = sorted(it.name for it in runs[2].path.iterdir())
    removed = []

    def killed_in_the_second(folder, **_):
        removed.append(folder)
        if len(removed) == 2:
            next(it for it in folder.iterdir() if it.is_file()).unlink()
            raise KeyboardInterrupt
        rmtree(folder)

    rmtree = shutil.rmtree
    with monkeypatch.context() as patch:
        patch.setattr(removal.shutil, "rmtree", killed_in_the_second)
        assert main(["clean", "--state", "failed", "--yes"]) == 130
    capsys.readouterr()
    assert listed(capsys, "--state", "failed") == {"failed": [runs[2].id]}
    assert sorted(it.name for it in runs[2].path.iterdir()) == whole
    assert main(["clean", "--orphans", "--state", "failed", "--yes"]) == 0
    assert list(root.iterdir()) == []


def test_orphans_are_found_on_both_sides_and_nothing_of_others(root, uri, monkeypatch, capsys):
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    whole, lost, deleted = (ended(root, "completed", uri) for _ in range(3))
    elsewhere = ended(root.parent / "others", "completed", uri)
    for it in (whole, lost, deleted, elsewhere):
        sync_run(it, 60)
    ids = {it.id: str(Cursor.load(it).mlflow_id) for it in (whole, lost, deleted)}
    client = MlflowClient(uri)
    client.delete_run(ids[deleted.id])
    shutil.rmtree(lost.path)
    whole = RunDir(whole.path.rename(root / "renamed-1"))
    shutil.rmtree(elsewhere.path)  # another folder of runs may be on another machine
    left = root.parent / f"hpcdl-{'0' * 12}-7-0"
    left.mkdir()
    os.utime(left, (1e9, 1e9))

    assert listed(capsys, "--orphans") == {
        "orphan": [f"MLflow run {ids[lost.id]}"],
        "left over": [str(left)],
        "completed": [deleted.id],
    }
    assert main(["clean", "--orphans", "--yes"]) == 0
    assert {it.name for it in root.iterdir()} == {whole.id}
    experiments = [it.experiment_id for it in client.search_experiments()]
    assert len(client.search_runs(experiments, run_view_type=3)) == 2
    assert client.get_run(str(Cursor.load(whole).mlflow_id)).info.lifecycle_stage == "active"
    assert not left.exists()
