"""RUN names a trained network: a run, a folder, an address in an MLflow store."""

import argparse
import re

import pytest

from hpc_dl.cli import trained_model
from hpc_dl.errors import UserError
from hpc_dl.tracking import model
from tests.support import exports
from tests.support.running import new_run
from tests.support.typed import use_settings


@pytest.fixture
def root(tmp_path, monkeypatch):
    use_settings(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def find(word, tmp_path):
    parser = argparse.ArgumentParser()
    trained_model.add_model(parser)
    return trained_model.find(parser.parse_args([word]), tmp_path / "downloads")


def with_export(root):
    run = new_run(root)
    exports.export(run.export, *exports.OTHERS["ffnn of tables"])
    return run


def test_a_run_goes_by_name_id_folder_and_export(root, tmp_path):
    run = with_export(root)
    for word in ("quick", "quick-1", "latest", "runs/quick-1", "./runs/quick-1/export"):
        found = find(word, tmp_path)
        assert (found.export.resolve(), found.run) == (run.export, run)
    elsewhere = exports.export(tmp_path / "mine", *exports.OTHERS["ffnn of tables"])
    assert find("mine", tmp_path).export.resolve() == elsewhere
    assert find("./mine", tmp_path).run is None


def test_what_names_no_trained_network_is_refused_with_what_to_do(root, tmp_path):
    with_export(root)
    assert new_run(root).id == "quick-2"
    exports.export(tmp_path / "quick", *exports.OTHERS["ffnn of tables"])
    (tmp_path / "empty").mkdir()
    said = {
        "quick-2": "quick-2 has no trained network: it is .*",
        "quick": "'quick' is the run quick-2, and a folder .*\nWrite .*/quick-2 or ./quick.",
        "quik-1": "there is no run 'quik-1' in .*\nDid you mean quick-1",
        "no/where": "there is no folder no/where",
        "./empty": "empty holds no trained network",
    }
    for word, expected in said.items():
        with pytest.raises(UserError) as caught:
            find(word, tmp_path)
        assert re.match(expected, str(caught.value)), str(caught.value)
    (tmp_path / "quick").rename(tmp_path / "other")
    with pytest.raises(UserError, match=r"quick-2 has no trained network(.|\n)*quick-1 has one"):
        find("quick", tmp_path)


@pytest.mark.slow
def test_addresses_of_a_store_are_downloaded(root, tmp_path, uri, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    run, client = with_export(root), MlflowClient(uri)
    made = client.create_run("0").info.run_id
    with pytest.raises(UserError, match="the run, running, has no such model"):
        find(f"runs:/{made}/model", tmp_path)
    model.log(run, client, made)
    (logged,) = client.get_run(made).outputs.model_outputs
    client.create_registered_model("heights")
    client.create_model_version("heights", f"models:/{logged.model_id}", made)
    client.set_registered_model_alias("heights", "best", "1")
    for number, address in enumerate(
        (f"runs:/{made}/model", f"runs:/{made}", "models:/heights/1", "models:/heights@best")
    ):
        found = find(address, tmp_path / str(number))
        assert found.run is None
        for file in ("model.json", "weights.safetensors"):
            assert (found.export / file).read_bytes() == (run.export / file).read_bytes()
    said = {
        f"runs:/{made}/net": "has no such model; it has model",
        "runs:/0123456789": "Run with id=0123456789 not found",
        "models:/nothing@best": "nothing",
        "models:/heights@worst": "alias worst not found",
        "models:/heights/7": "version=7",
    }
    for address, expected in said.items():
        with pytest.raises(UserError, match=expected):
            find(address, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(UserError, match=r"none.db cannot be read: the file is gone"):
        find("models:/heights/1", tmp_path)
