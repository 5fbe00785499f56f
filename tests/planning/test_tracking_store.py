"""Paths and passwords in the URI of the store: they arrive as they are, or are refused by name."""

from pathlib import Path

import pytest

from hpc_dl import cli
from hpc_dl.errors import UserError
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning import tracking_store
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.planning.site import Site
from hpc_dl.run.journal import Journal
from hpc_dl.tracking.sync import sync_run
from tests.support.running import QUICK
from tests.support.stores import mlflow_run, run_for, same, write_history

ODD = 'it\'s "odd" %d 100% :x #1 & ü`;\\'
"""A folder's name in which every language that a path goes through finds something to object to."""


def choose(root="/runs", uri=None, site=None):
    spec = JobSpec.model_validate({**QUICK, "tracking": {"uri": uri}})
    return tracking_store.choose(spec, Site(name="test", tracking_uri=site), Path(root))


@pytest.mark.parametrize(
    "uri",
    [
        "https://me:secret@mlflow.example.org:5000/base",
        "http://me:p%2Fw@127.0.0.1:5000",
        "http://me:p@w@127.0.0.1:5000",
        "https://mlflow.example.org:5000/users/me@home",
        "postgresql://me:100%25@db/mlflow",
        "postgresql+psycopg2://me:p:w@db:5432/mlflow?sslmode=require",
        "sqlite:///own.db",
        "sqlite:////scratch/it's/100%/own.db?timeout=60",
        "databricks",
        "databricks://profile",
    ],
)
def test_what_can_be_taken_is_taken_as_it_is(uri):
    assert choose(uri=uri) == uri
    assert choose(site=uri) == uri
    tracking_store.check(uri)


@pytest.mark.parametrize(
    "uri, named",
    [
        ("https://me:ge/heim@host", "'/'"),
        ("https://me:ge?heim@host", "'?'"),
        ("https://me:ge#heim@host/path", "'#'"),
        ("https://me:ge heim@host", "' '"),
        ("https://me:ge'heim@host", '"\'"'),
        ("postgresql://me:ge@heim@host/mlflow", "'@'"),
        ("postgresql://me:ge/heim@host/mlflow", "'/'"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///~/own.db", "~"),
        ("sqlite:///$SCRATCH/own.db", "$"),
        ("sqlite:////a%20b/own.db", "%20"),
    ],
)
def test_what_would_mean_something_else_is_refused_with_character_and_option(uri, named):
    with pytest.raises(SpecConflict, match=r"^tracking\.uri: ") as of_spec:
        choose(uri=uri)
    with pytest.raises(UserError, match="MLFLOW_TRACKING_URI") as of_site:
        choose(site=uri)
    for refused in (of_spec.value, of_site.value):
        assert named in refused.message
        assert refused.hint
        assert "heim" not in str(refused)


@pytest.mark.parametrize("root, named", [("/a?b", "?"), ("/a%20b", "%20"), ("/a\udcffb", "UTF-8")])
def test_a_run_root_that_a_uri_cannot_hold_is_refused(root, named):
    with pytest.raises(UserError, match="run_root") as refused:
        choose(root)
    assert named in refused.value.message
    if named != "UTF-8":
        assert choose(root, uri="https://mlflow.example.org")


def test_a_job_in_such_a_root_is_refused_at_submission(tmp_path, monkeypatch, capsys):
    job = tmp_path / "job.yaml"
    job.write_text("name: quick\nmodel: {name: ffnn}\ndata: {name: digits}\ntrain: {steps: 1}\n")
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path / "what?"))
    monkeypatch.setenv("HPCDL_SITE", "generic")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert cli.main(["submit", str(job), "--local"]) == 2
    assert "run_root" in capsys.readouterr().err
    assert not (tmp_path / "what?").exists()


@pytest.mark.parametrize(
    "name, named", [("  ", "blank"), ("a\nb", r"\n"), ("a\0b", r"\x00"), ("n" * 257, "256")]
)
def test_a_name_that_some_store_does_not_take_is_no_experiments(name, named):
    with pytest.raises(ValueError, match="experiment") as refused:
        JobSpec.model_validate({**QUICK, "tracking": {"experiment": name}})
    assert named in str(refused.value)


def test_a_run_in_a_folder_of_an_odd_name_arrives_once_with_its_files(tmp_path, monkeypatch):
    from mlflow import MlflowClient

    root = tmp_path / ODD
    root.mkdir()
    monkeypatch.chdir(root)  # MLflow has an opinion on where it is started, too
    uri = f"sqlite:///{root}/mlflow.db"
    run = run_for(uri, root, tracking={"experiment": ODD})
    for name in ("100% #1?.py", "plain.py"):
        (run.code / "user's own").mkdir(parents=True, exist_ok=True)
        (run.code / "user's own" / name).write_text("")
    write_history(Journal(run.journal), 1, 5)
    sync_run(run)
    first = mlflow_run(run, uri).info
    assert same(run, uri)
    run.tracking.unlink()
    sync_run(run)
    assert mlflow_run(run, uri).info.run_id == first.run_id
    client = MlflowClient(tracking_uri=uri)
    assert len(client.search_runs([first.experiment_id])) == 1
    found = client.list_artifacts(first.run_id, "code/user's own")
    assert {item.path.rpartition("/")[2] for item in found} == {
        "100_25_ _23_1_3f_.py",
        "plain.py",
    }
    assert Path(client.download_artifacts(first.run_id, "spec.yaml")).read_text()
    assert {path.name for path in root.iterdir()} == {
        "mlartifacts",
        "mlflow.db",
        "mlflow.db.lock",
        run.id,
    }
    assert [path.name for path in tmp_path.iterdir()] == [ODD]
