"""A sweep in MLflow: one parent, its trials as children, and what its page shows."""

import json
from concurrent.futures import ThreadPoolExecutor

from hpc_dl.run.layout import RunDir
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.tracking import orphans, parent_run, store
from hpc_dl.tracking.sync import sync_run
from tests.support.stores import mlflow_run
from tests.support.sweeps import sweep_of

PARENT = "mlflow.parentRunId"


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
