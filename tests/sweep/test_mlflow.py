"""A sweep in MLflow: one parent, its trials as children, and what its page shows."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hpc_dl.cli import main
from hpc_dl.comparison import curves
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.lease import Holder
from hpc_dl.run.process_identity import Process
from hpc_dl.run.submission import Submission
from hpc_dl.sweep import folder, importance, mlflow_page, summary
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.progress import TrialProgress
from hpc_dl.sweep.trial import Result, Trial, Unit
from hpc_dl.tracking import lock, orphans, parent_run, store, sweep_page
from hpc_dl.tracking.sync import sync_run
from tests.support.stores import mlflow_run
from tests.support.sweeps import finish, sweep_of

PARENT = "mlflow.parentRunId"
HOLDER = Holder(Submission("local", "1", "", 0.0), 0, Process.own(), "", 0.0)


def all_runs(uri):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    ids = [it.experiment_id for it in client.search_experiments()]
    return {it.info.run_name: it for it in client.search_runs(ids)}


def test_trials_are_children_of_one_run_with_their_options_as_columns(tmp_path, uri):
    from mlflow import MlflowClient

    sweep = sweep_of(uri, tmp_path, [0.1, 0.01, 0.001])
    for number in (1, 2):
        sync_run(sweep.run(number))
    (sweep.path / parent_run.FILE).unlink()  # as where the answer to its creation was lost
    sync_run(sweep.run(3))
    found = all_runs(uri)
    assert sorted(found) == ["quick.s1", "quick.s1-1", "quick.s1-2", "quick.s1-3"]
    parent = found.pop("quick.s1")
    assert {it.data.tags[PARENT] for it in found.values()} == {parent.info.run_id}
    assert [it.data.tags["hpcdl.trial"] for _, it in sorted(found.items())] == ["1", "2", "3"]
    assert [it.data.params["train.optimizer.lr"] for _, it in sorted(found.items())] == [
        *("0.1", "0.01", "0.001")
    ]
    experiment = MlflowClient(tracking_uri=uri).get_experiment(parent.info.experiment_id)
    view = json.loads(experiment.tags["mlflow.sharedViewState.hpcdl"])
    assert {"params.`train.optimizer.lr`", "metrics.`val/loss`"} <= {
        *json.loads(view["state"])["selectedColumns"]
    }


def test_trials_that_begin_at_once_make_one_parent(tmp_path, uri):
    sweep = sweep_of(uri, tmp_path, [0.1])
    run = sweep.run(1)
    with store.connect(uri) as client:

        def parent(_):
            return parent_run.find_or_create(sweep.path, run, client, "0").info.run_id

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(parent, range(16)))) == 1
        assert len(client.search_runs(["0"])) == 1


def test_a_moved_sweep_keeps_its_parent_and_a_lost_folder_leaves_an_orphan(tmp_path, capsys):
    old, new = tmp_path / "old", tmp_path / "new"
    sweep = sweep_of(f"sqlite:///{old}/mlflow.db", old, [0.1, 0.01])
    sync_run(sweep.run(1))
    before = mlflow_run(sweep.run(1), f"sqlite:///{old}/mlflow.db").data.tags[PARENT]
    old.rename(new)
    moved, uri = SweepDir(new / sweep.id), f"sqlite:///{new}/mlflow.db"
    sync_run(moved.run(2))
    assert mlflow_run(moved.run(2), uri).data.tags[PARENT] == before
    assert len(all_runs(uri)) == 3

    def lost():
        runs = [RunDir(it) for it in new.glob("quick.s1-*")]
        found = orphans.find(uri, new, runs, 60)
        return [path.name for path, _, _ in found.without_folder]

    assert lost() == []
    (new / sweep.id).rename(tmp_path / "elsewhere")
    assert lost() == ["quick.s1"]
    orphans.remove(uri, before, 60)
    assert sorted(all_runs(uri)) == ["quick.s1-1", "quick.s1-2"]


def test_the_page_of_a_sweep_has_the_best_so_far_a_table_and_pictures(
    tmp_path, uri, capsys, monkeypatch
):
    from mlflow import MlflowClient

    sweep = sweep_of(uri, tmp_path, [0.1, 0.01, 0.001])
    client = MlflowClient(tracking_uri=uri)
    finish(sweep, 3, 0.5, 1000)
    assert not mlflow_page.update(sweep, 0)  # no trial is in MLflow yet
    sync_run(sweep.run(3))
    with lock.acquire(sweep.path / sweep_page.LOCK, "held", 0), pytest.raises(lock.LockTimeout):
        mlflow_page.update(sweep, 0)
    assert mlflow_page.update(sweep, 0)
    page = all_runs(uri)["quick.s1"]
    assert page.info.status == "RUNNING"
    assert page.data.tags["hpcdl.trials"] == "3 trials: 1 completed, 2 waiting"
    assert not mlflow_page.update(sweep, 0)  # which has nothing to add

    finish(sweep, 1, 0.9, 2000)
    finish(sweep, 2, 0.2, 3000)
    monkeypatch.setenv("HPCDL_SITE", "generic")
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path))
    assert main(["sync"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "quick.s1: its results and pictures sent"
    page = all_runs(uri)["quick.s1"]
    history = client.get_metric_history(page.info.run_id, sweep_page.BEST)
    assert [(it.step, it.value, it.timestamp) for it in history] == [
        *((1, 0.5, 1_000_000), (2, 0.5, 2_000_000), (3, 0.2, 3_000_000))
    ]
    assert page.info.status == "FINISHED"
    assert page.data.tags["hpcdl.best"] == "quick.s1-2"
    assert page.data.params["sweep.parameters.train.optimizer.lr"] == "[0.1, 0.01, 0.001]"
    assert "| quick.s1-2 | 0.2 | 1 | completed | 0.01 |" in page.data.tags["mlflow.note.content"]
    pictures = [Path(it.path).stem for it in client.list_artifacts(page.info.run_id, "sweep")]
    assert pictures == ["best_so_far", "learning_curves", "parallel_coordinates"]


def test_curves_are_without_steps_that_were_trained_again(tmp_path, uri):
    run = sweep_of(uri, tmp_path, [0.1]).run(1)
    cut = run.journal.read_bytes().index(b'"step": 10')
    cut = run.journal.read_bytes().rindex(b"\n", 0, cut) + 1
    log = Journal(run.journal)
    log.append("started", step=9, cut=cut)
    log.append("metrics", step=11, epoch=1, values={"val/loss": 3.0, "val/accuracy": 0.5})
    log.close()
    assert curves.of_metric(run, "val/loss") == {5: 0.4, 11: 3.0}
    assert curves.of_metric(run, "val/loss") == curves.read(run)["val/loss"]


def test_importance_is_of_the_option_that_matters():
    pytest.importorskip("optuna")

    def of(number):
        values = {"matters": 10.0 ** -(number % 5), "not": number % 3, "same": 1, "word": ["a"]}
        result = Result(number, 0, "completed", float(number % 5))
        return TrialProgress(Trial(number, values, None, number), "completed", result)

    ranked = summary.ranked([of(it) for it in range(1, 31)], "minimize")
    found = importance.compute(ranked, "minimize")
    assert set(found) == {"matters", "not"}
    assert found["matters"] > 0.9
    assert "10 configurations" in importance.why_not(ranked[:9])


def test_a_task_that_has_trained_leaves_the_page_to_the_next_one(tmp_path, monkeypatch):
    """It would keep its allocation for it; the next one sends it beside its training."""
    started = []
    sweep = sweep_of(f"sqlite:///{tmp_path}/mlflow.db", tmp_path, [0.1, 0.01, 0.001])
    monkeypatch.setattr(mlflow_page.subprocess, "Popen", lambda *_, **__: started.append(1))

    def starts(*, begins):
        before = len(started)
        mlflow_page.start_update(sweep, begins=begins)
        return len(started) > before

    assert not starts(begins=True)  # no trial has a result
    finish(sweep, 1, 0.3, 100.0)
    assert not starts(begins=False)
    assert starts(begins=True)
    assert not starts(begins=True)  # it has just been sent
    os.utime(sweep.path / sweep_page.LOCK, (0, 0))
    for trial in (2, 3):
        assert folder.claim(sweep, Unit(trial, 0), 1, HOLDER.to_json())
    finish(sweep, 2, 0.2, 200.0)
    assert starts(begins=False)  # no other task will begin
    finish(sweep, 3, 0.1, 300.0)
    assert starts(begins=False)
