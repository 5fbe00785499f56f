"""`hpcdl evaluate`: a trained network on other data, prepared as the training's were."""

import json
from pathlib import Path

import pytest

from hpc_dl.cli import main
from hpc_dl.data import loading, sources
from hpc_dl.predictor import load
from hpc_dl.run import records
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.tracking.cursor import Cursor
from tests.support import empty_store, exports
from tests.support.running import new_run
from tests.support.typed import use_settings
from tests.support.waiting import wait_until

GRU = {"name": "lstm", "cell": "gru", "hidden": 4}
TEXTS = [
    ("a good film that nobody who sees it forgets", "pos"),
    ("a bad film", "neg"),
    ("good", "pos"),
    ("so bad", "neg"),
] * 5
OTHERS = [("strange words and good ones", "pos"), ("bad", "neg"), ("a good plot", "neg")] * 3
TREES = [(1.0, "ash"), (5.0, "elm"), (9.0, "oak"), (2.0, "ash"), (4.0, "elm"), (8.0, "oak")] * 4
GAPS = [(9.5, "oak"), (4.5, "elm"), ("", "elm"), (7.0, "oak"), (6.0, "elm"), ("", "oak")]


def table(path: Path, names: str, rows: list) -> Path:
    path.write_text("\n".join([names, *(",".join(map(str, it)) for it in rows)]) + "\n")
    return path


def trained(root: Path, model: dict, data: dict) -> RunDir:
    """A run with fresh weights, and with what is fitted on its training examples. It is not
    completed: MLflow would get its model, which takes seconds."""
    run = new_run(root / "runs", model=model, data=data)
    empty_store.put(run.root)
    spec = records.load_spec(run)
    source = sources.build(spec.data, root)
    facts = source.describe()
    exports.export(run.export, model, facts, data=spec.data.model_dump())
    for name, text in source.assets(facts).items():
        (run.export / "assets").mkdir(exist_ok=True)
        (run.export / "assets" / name).write_text(text)
    log = Journal(run.journal)
    log.append("metrics", step=3, epoch=0, values={"test/accuracy": 0.25})
    log.close()
    return run


@pytest.fixture
def folder(tmp_path, monkeypatch):
    use_settings(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def accuracy(run: RunDir, given, truth: list[str]) -> float:
    """What the predictor, which has what was fitted for the training, is right about."""
    said = load(run.export).predict(given)["class"].tolist()
    return sum(it == true for it, true in zip(said, truth, strict=True)) / len(truth)


def test_texts_are_read_with_the_vocabulary_of_the_training_and_mlflow_has_a_child(folder, capsys):
    from mlflow import MlflowClient

    data = {"name": "text_csv", "path": str(table(folder / "own.csv", "text,target", TEXTS))}
    run = trained(folder, GRU, data | {"text": "text", "target": "target", "tokens": "words"})
    table(folder / "other.csv", "text,target", OTHERS)
    command = ["evaluate", run.id, "data.path=other.csv", "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    texts, classes = map(list, zip(*OTHERS, strict=True))
    assert found["metrics"]["accuracy"] == pytest.approx(accuracy(run, texts, classes))
    assert (found["split"], found["examples"], found["test"]) == ("all", 9, {"accuracy": 0.25})
    written = json.loads((Path(found["folder"]) / "metrics.json").read_text())
    assert written["metrics"] == found["metrics"]
    assert len((Path(found["folder"]) / "predictions.csv").read_text().splitlines()) == 10

    assert main(command) == 0  # again: still one of them
    client, parent = MlflowClient(records_uri(run)), Cursor.load(run).mlflow_id
    of_run = client.get_run(parent)
    (child,) = client.search_runs(
        [of_run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'"
    )
    assert child.data.metrics["test_accuracy"] == found["metrics"]["accuracy"]
    assert child.data.params["data.path"] == str(folder / "other.csv")
    assert child.data.params["model.cell"] == "gru"
    assert of_run.data.metrics == {"test_accuracy": 0.25}
    assert main(["rm", run.id, "--yes"]) == 0
    assert not client.search_runs([of_run.info.experiment_id])


def test_a_table_has_the_columns_the_fills_and_the_numbers_of_classes_of_the_training(folder):
    data = {"name": "csv", "path": str(table(folder / "own.csv", "height,tree", TREES))}
    run = trained(
        folder, {"name": "ffnn", "hidden": [4]}, data | {"target": "tree", "missing": "mean"}
    )
    table(folder / "other.csv", "height,tree", GAPS)
    assert main(["evaluate", run.id, "data.path=other.csv"]) == 0
    (written,) = run.evaluations.glob("*/metrics.json")
    heights = [{"height": it or None} for it, _ in GAPS]
    right = accuracy(run, heights, [tree for _, tree in GAPS])
    assert json.loads(written.read_text())["metrics"]["accuracy"] == pytest.approx(right)


def test_errors_of_a_regression_are_counted_in_deviations_of_the_training(folder):
    own = [(height, 3 * height + 1) for height, _ in TREES]
    data = {"name": "csv", "path": str(table(folder / "own.csv", "height,crown", own))}
    model = {"name": "ffnn", "hidden": [4]}
    run = trained(folder, model, data | {"target": "crown", "task": "regress"})
    other = [(2.5, 1.0), (7.5, 90.0), (3.5, 40.0)]
    table(folder / "other.csv", "height,crown", other)
    assert main(["evaluate", run.id, "data.path=other.csv"]) == 0
    (written,) = run.evaluations.glob("*/metrics.json")
    source = sources.build(records.load_spec(run).data, folder)
    deviation = loading.load(source).train.tensors["target"].double().std(correction=0)
    said = load(run.export).predict([{"height": it} for it, _ in other])["target"][:, 0]
    errors = [(it - true) / float(deviation) for it, (_, true) in zip(said, other, strict=True)]
    expected = sum(it**2 for it in errors) / len(errors)
    assert json.loads(written.read_text())["metrics"]["loss"] == pytest.approx(expected, rel=1e-5)


def test_what_does_not_fit_is_refused_with_the_reason(folder, capsys):
    run = trained(folder, {"name": "ffnn", "hidden": [4]}, {"name": "digits"})
    for word, reason in {
        "data.name=synthetic_reviews": "the network was trained on image data, to classify",
        "data.name=mnist": "shape of image (1, 28, 28), and it was trained on (1, 8, 8)",
        "data.split_seed=3": "some of them were trained on",
        "data.batch_size=7": "was settled by the training",
        "train.epochs=3": "is no option of the data",
        "resources.time=5": "add --slurm",
        "data.rot=x": "there is no 'data.rot'",
    }.items():
        assert main(["evaluate", run.id, word]) == 2, word
        assert reason in capsys.readouterr().err
    assert not run.evaluations.exists()


@pytest.mark.nightly
def test_it_runs_as_a_job_of_slurm_on_a_path_of_here(cluster, folder, monkeypatch, capsys):
    monkeypatch.setenv("SLURM_CONF", cluster.env["SLURM_CONF"])
    monkeypatch.setenv("HPCDL_SITE", "test-cluster")
    data = {"name": "csv", "path": str(table(folder / "own.csv", "height,tree", TREES))}
    run = trained(folder, {"name": "ffnn", "hidden": [4]}, data | {"target": "tree"})
    table(folder / "other.csv", "height,tree", TREES[:5])
    words = ["evaluate", run.id, "data.path=other.csv", "--split=all", "--slurm"]
    assert main([*words, "resources.time=00:05:00"]) == 0
    job = capsys.readouterr().out.split()[2].rstrip(":")
    shown = cluster.run("scontrol", "show", "job", job)
    assert "TimeLimit=00:05:00" in shown
    assert "JobName=evaluate-quick" in shown
    log = folder / f"runs/predictions/quick-1/logs/{job}-0.log"
    (written,) = wait_until(
        lambda: list(run.evaluations.glob("*/metrics.json")),
        timeout=180,
        message=f"the result of {log}",
    )
    assert json.loads(written.read_text())["examples"] == 5


def records_uri(run: RunDir) -> str:
    from hpc_dl.tracking import store_uri

    return str(store_uri.load(run))


MORE = """
import torch

def data(examples: int = 9):
    pictures, classes = torch.rand(examples, 1, 8, 8), torch.arange(examples) % 10
    split = {"image": pictures, "label": classes}
    return {"train": split, "validation": split, "test": split}
"""


def test_a_users_function_in_the_current_folder_gives_the_examples(folder, capsys):
    """The options of the training's data are none of its own."""
    run = trained(folder, {"name": "ffnn", "hidden": [4]}, {"name": "digits"})
    (folder / "more.py").write_text(MORE)
    words = ["data.name=more.py:data", "data.examples=20", "--json"]
    assert main(["evaluate", run.id, *words]) == 0, capsys.readouterr().err
    assert json.loads(capsys.readouterr().out)["examples"] == 20
