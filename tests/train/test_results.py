"""The results of a run: metrics with their step, split and weights, and the test predictions."""

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from PIL import Image
from rich.console import Console
from sklearn.metrics import precision_recall_fscore_support

from hpc_dl.cli import status as status_command
from hpc_dl.cli import summary
from hpc_dl.data import sources
from hpc_dl.data.names import Names
from hpc_dl.data.sources import digits
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.run import records
from hpc_dl.run.layout import RunDir, read_json, write_json
from hpc_dl.run.monitor import short
from hpc_dl.run.weights import Weights
from hpc_dl.status import read_status
from hpc_dl.tasks.pictures import figure
from hpc_dl.tasks.tables import ClassTables
from hpc_dl.tracking import description, note
from hpc_dl.train import other_data, predictions
from hpc_dl.train.pictures import Caption
from hpc_dl.train.predictions import Part
from hpc_dl.train.world import World
from hpc_dl.zoo import build
from hpc_dl.zoo.contract import Picture
from tests.support import ranks, reading
from tests.support.running import events, exported_weights, new_run

SCRIPTED = '''
from hpc_dl.zoo.contract import Loss
from hpc_dl.zoo.architectures.ffnn import FeedForward

ACCURACY, LOSS = [0.5, 0.9, 0.9, 0.25], [2.0, 1.0, 0.5, 3.0]


class Scripted(FeedForward):
    """Validation goes as it is written here, epoch by epoch."""

    epoch = 0

    def measure(self, nets, batch):
        number, Scripted.epoch = Scripted.epoch, Scripted.epoch + 1
        one = batch["image"].new_tensor(1.0)
        written = {"accuracy": ACCURACY[number], "loss": LOSS[number]}
        means = {name: Loss(one * value, 1) for name, value in written.items()}
        return {**super().measure(nets, batch), **means}

    def test(self, nets, batch):
        return super().measure(nets, batch)
'''
STEPS = 12
"""Of an epoch."""


def scripted(folder: Path, epochs: int) -> RunDir:
    (folder / "code").mkdir()
    (folder / "code" / "own.py").write_text(SCRIPTED)
    model = {"name": "own.py:Scripted", "hidden": [16], "activation": "relu", "dropout": 0.0}
    return new_run(folder, folder / "code", model=model, train={"epochs": epochs})


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunDir:
    """Four epochs, the best of which are the second and, with a lower loss, the third."""
    return ranks.train(scripted(tmp_path_factory.mktemp("results"), 4))


def test_the_export_has_a_model_card_that_hugging_face_reads(run):
    card = ModelCard.load(run.export / "README.md")
    (accuracy,) = (it for it in card.data.eval_results if it.metric_type == "accuracy")
    (summary,) = events(run, "summary")
    assert accuracy.metric_value == summary["values"]["test/accuracy"]
    assert accuracy.dataset_name == "digits"
    assert card.data.license is None
    assert "Not stated" in card.text
    digest = read_json(run.fingerprint)["digest"]
    for part in (
        "# quick-1",
        digest,
        "step 36 (",
        "1437 to train on",
        "| seed | 0 |",
        "split_seed",
    ):
        assert part in card.text, part
    assert yaml.safe_load(card.text.partition("```yaml")[2].partition("```")[0])["train"]


def test_a_kill_before_the_best_checkpoint_is_marked_loses_nothing(tmp_path):
    run = scripted(tmp_path, 3)
    write_json(run.plan, {**read_json(run.plan), "pause_at": 30})
    with ranks.ended(ranks.start(run)) as (process,):
        process.join(60)
    write_json(run.plan, {**read_json(run.plan), "pause_at": None})
    shutil.rmtree(run.checkpoints / "best-00000024")
    ranks.train(run)
    (said,) = events(run, "summary")
    described = "best checkpoint: step 24 (validation accuracy 0.9, the highest)"
    assert said["weights"]["described"] == described


def test_an_evaluation_on_the_data_of_the_test_repeats_it(run, tmp_path):
    spec, plan = records.load_spec(run), records.load(run.plan, Plan)
    source = sources.build(spec.data, Path(plan.data_root), run.code)
    where = torch.device("cpu"), None, tmp_path
    found = other_data.measure(run, source, "test", 4 * STEPS, *where)
    (said,) = events(run, "summary")
    assert {f"test/{name}": value for name, value in found.metrics.items()} == said["values"]
    for name in ("predictions.csv", "per_class.csv"):
        assert (tmp_path / name).read_text() == (run.artifacts / "test" / name).read_text()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_best_weights_are_tested_drawn_and_exported(run):
    (said,) = events(run, "summary")
    described = "best checkpoint: step 36 (validation accuracy 0.9, the highest)"
    assert said["weights"]["described"] == described
    assert said["validation"]["loss"] == 0.5
    assert read_json(run.export / "model.json")["weights"]["step"] == 36
    state = torch.load(run.checkpoints / "best-00000036" / "state.pt", weights_only=True)
    exported = exported_weights(run)
    kept = state["engine"]["networks"]["model"]
    assert all(torch.equal(kept[name], exported[name]) for name in kept)
    tested = [it for it in events(run, "metrics") if "test/loss" in it["values"]]
    assert [(it["step"], it["epoch"]) for it in tested] == [(36, 2)]


def test_picture_titles_name_the_split_and_the_step(run):
    said = {it["path"]: it["caption"] for it in events(run, "artifact")}
    of_validation = "artifacts/confusion/step-00000048.png"
    assert said[of_validation] == "Confusion matrix, validation split, step 48"
    of_test = "artifacts/confusion/test-step-00000036.png"
    assert said[of_test] == "Confusion matrix, test split, weights of step 36"
    table = "predictions, test split, weights of step 36"
    assert said["artifacts/test/predictions.csv"] == table
    assert all((run.path / path).is_file() for path in said)


def test_titles_are_drawn_and_generated_pictures_name_no_split():
    shown = Caption("test", Weights(120, averaged=True), is_final=True)
    drawing, _ = figure(2, 2)
    picture = Picture(drawing, "Samples", generated=True)
    assert shown.title(picture) == "Samples, averaged weights of step 120"
    while_training = Caption("validation", Weights(240))
    title = while_training.title(Picture(drawing, "Samples"))
    picture.pixels(title.removeprefix("Samples"))
    assert " ".join(drawing.get_suptitle().split()) == "Samples, validation split, step 240"


def test_the_summary_shows_metrics_of_the_same_weights(run):
    out = io.StringIO()
    found = summary.summarise(run)
    summary.show(found, Console(file=out, width=200))
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert "train last validation validation test" in lines
    assert "step 48 step 48 step 36 step 36" in lines
    test = short(found.values["test/accuracy"])
    assert f"accuracy 0.25 0.9 {test}" in lines
    assert any(
        line.startswith("weights best checkpoint: step 36 (validation accuracy") for line in lines
    )
    assert f"table {run.artifacts / 'test' / 'predictions.csv'}" in lines
    said = summary.to_json(found)
    assert (said["step"], said["weights"]["step"]) == (48, 36)
    assert (said["steps"]["val/accuracy"], said["steps"]["test/accuracy"]) == (48, 36)
    assert said["validation"]["accuracy"] == pytest.approx(0.9)


def test_status_names_the_tested_weights_and_the_last_validation(run):
    found = read_status(run)
    details = status_command._details(found, status_command._code(run))
    lines = [" ".join(line.split()) for line in str(details).splitlines()]
    said = "weights best checkpoint: step 36 (validation accuracy 0.9, the highest)"
    assert said in lines
    (validation,) = (line for line in lines if line.startswith("validation "))
    assert "accuracy 0.9, " in validation
    assert validation.endswith("of the weights of step 36")
    assert any(line.startswith("test ") and line.endswith(" of step 36") for line in lines)
    assert "metric last: val/accuracy 0.25 (step 48)" in lines
    assert status_command._metric(found) == "val/accuracy 0.25 (step 48)"


def test_mlflow_has_a_tag_and_a_description_of_the_weights(run):
    (said,) = events(run, "summary")
    assert description.summary_tags(said)["hpcdl.weights"] == said["weights"]["described"]
    assert description.summary_tags({"event": "summary", "weights": {"step": "x"}}) == {}
    text = note.write(run, "0")
    assert f"- **weights**: {said['weights']['described']}" in text
    assert "- **validation**: accuracy 0.9, " in text
    assert f"- **test**: accuracy {short(said['values']['test/accuracy'])}, " in text


def test_the_table_has_every_test_prediction_once_and_in_order(run):
    found = rows(run.artifacts / "test" / "predictions.csv")
    numbers = [int(row["example"]) for row in found]
    assert numbers == sorted(set(numbers))
    assert len(found) == read_json(run.plan)["facts"]["test"]
    assert [int(row["true"]) for row in found] == digits.read_digits()["label"][numbers].tolist()
    chances = np.array([[float(row[f"probability {n}"]) for n in range(10)] for row in found])
    assert chances.sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert [int(row["predicted"]) for row in found] == chances.argmax(axis=1).tolist()
    right = np.mean([row["true"] == row["predicted"] for row in found])
    assert right == pytest.approx(summary.summarise(run).values["test/accuracy"])


def test_precision_recall_and_f1_of_each_class_are_scikit_learns(run):
    found = rows(run.artifacts / "test" / "predictions.csv")
    truth, guess = ([row[name] for row in found] for name in ("true", "predicted"))
    labels = list(map(str, range(10)))
    expected = precision_recall_fscore_support(truth, guess, labels=labels, zero_division=0)
    table = rows(run.artifacts / "test" / "per_class.csv")
    assert [row["class"] for row in table] == labels
    for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        assert [float(row[name] or 0) for row in table] == pytest.approx(values, abs=1e-5), name


def test_two_ranks_write_the_same_table(tmp_path):
    train = {"epochs": None, "steps": 2}
    two = ranks.train(new_run(tmp_path, train=train, resources={"tasks_per_node": 2}))
    found = rows(two.artifacts / "test" / "predictions.csv")
    numbers = [int(row["example"]) for row in found]
    assert numbers == sorted(set(numbers))
    assert len(found) == read_json(two.plan)["facts"]["test"]
    assert [int(row["true"]) for row in found] == digits.read_digits()["label"][numbers].tolist()
    assert not list((two.artifacts / "test").glob(".*"))


def tables(folder: Path, model: str, data: dict, workers: int | None = None):
    """The tables of an untrained network on the test split of some data."""
    spec = JobSpec.model_validate(
        {"name": "t", "model": {"name": model}, "data": data, "train": {"epochs": 1}}
    )
    splits = reading.load(spec.data, folder, folder, workers)
    architecture = build(spec.model, splits.facts, folder)
    parts = predictions.predict(
        architecture,
        architecture.networks(),
        splits.test,
        World(0, 1, torch.device("cpu")),
        batch_size=2,
        seed=(0, 0),
    )
    files = predictions.write(
        parts, predictions.tables_of(architecture), splits.names, folder / "test"
    )
    return [rows(file) for file in files], splits


def test_images_are_named_by_file_in_memory_and_streamed(tmp_path):
    for number in range(20):
        file = tmp_path / "pictures" / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(file)
    data = {"name": "image_folder", "root": str(tmp_path / "pictures"), "size": [8, 8], "test": 0.3}
    (resident, _), splits = tables(tmp_path, "ffnn", data)
    assert len(resident) == 6
    for row in resident:
        place = tmp_path / "pictures" / row["file"]
        assert place.is_file()
        assert row["true"] == place.parent.name
    (streamed, _), _ = tables(tmp_path, "ffnn", data, workers=0)
    assert [row["file"] for row in streamed] == [row["file"] for row in resident]
    said = splits.names.listed(splits.train.index[:2].tolist())
    assert said.startswith("files ")
    assert ".png, " in said


def test_rows_of_a_table_are_counted_after_its_header_and_targets_have_their_own_errors(tmp_path):
    lines = ["size,age,price"] + [f"{n},{n % 7},{100 + 3 * n}" for n in range(40)]
    (tmp_path / "houses.csv").write_text("\n".join(lines) + "\n")
    data = {"name": "csv", "path": str(tmp_path / "houses.csv"), "target": ["price", "age"]}
    (found, quality), _ = tables(tmp_path, "ffnn", {**data, "task": "regress"})
    for row in found:
        number = int(row["row"])
        _, age, price = lines[number].split(",")
        assert (float(row["true price"]), float(row["true age"])) == (float(price), float(age))
    errors = [abs(float(row["predicted price"]) - float(row["true price"])) for row in found]
    price, age = quality
    assert (price["target"], age["target"], price["support"]) == ("price", "age", "4")
    assert float(price["mae"]) == pytest.approx(np.mean(errors), rel=1e-4)


def test_true_numbers_are_those_of_the_file_however_large(tmp_path):
    energies = [str(-406757 + 0.01 * np.sin(n)) for n in range(40)]
    lines = ["size,energy,share"] + [f"{n},{it},0.{n % 9 + 1}" for n, it in enumerate(energies)]
    (tmp_path / "molecules.csv").write_text("\n".join(lines) + "\n")
    data = {"name": "csv", "path": str(tmp_path / "molecules.csv"), "target": ["energy"]}
    (found, _), _ = tables(tmp_path, "ffnn", {**data, "task": "regress", "drop": ["share"]})
    for row in found:
        assert float(row["true energy"]) == pytest.approx(
            float(energies[int(row["row"]) - 1]), 1e-14
        )
    data["target"] = ["share"]
    (found, _), _ = tables(tmp_path, "ffnn", {**data, "task": "regress", "drop": ["energy"]})
    assert all(row["true share"] == lines[int(row["row"])].split(",")[2] for row in found)


def test_rows_are_those_of_the_file_that_they_are_in(tmp_path):
    for name, first in (("train", 0), ("test", 100)):
        lines = ["x,kind"] + [f"{first + n},{'ab'[n % 2]}" for n in range(20)]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    files = {"path": str(tmp_path / "train.csv"), "test_path": str(tmp_path / "test.csv")}
    (found, _), splits = tables(tmp_path, "ffnn", {"name": "csv", "target": "kind", **files})
    assert [int(row["row"]) for row in found] == list(range(1, 21))
    assert [row["true"] for row in found] == list("ab" * 10)
    assert splits.names.listed([0, 19]) == "rows 1, 20"


def test_examples_keep_their_number_when_classes_are_left_out(tmp_path):
    (found, _), _ = tables(tmp_path, "ffnn", {"name": "digits", "include_classes": [3, 5]})
    label = digits.read_digits()["label"]
    assert {row["true"] for row in found} == set(map(str, range(10)))
    assert all(int(row["true"]) == label[int(row["example"])] for row in found)


def test_nodes_are_named_by_their_number_in_the_graph(tmp_path):
    (found, _), splits = tables(tmp_path, "gnn", {"name": "karate"})
    test = splits.test.tensors
    said = dict(zip(test["at"].tolist(), test["label"].tolist(), strict=True))
    assert {int(row["node"]): int(row["true"]) for row in found} == said


def test_generative_models_have_no_table_of_predictions(tmp_path):
    for model in ("vae", "diffusion", "gan"):
        assert tables(tmp_path, model, {"name": "digits"})[0] == []
    assert not (tmp_path / "test").exists()


def test_a_full_disk_is_reported_when_all_ranks_are_done(tmp_path):
    (tmp_path / "test").write_text("a file in the place of the folder")
    facts = DataFacts.of("image", "classify", (1, 8, 8), ("a", "b"), 9, 1, 2)
    taken = []

    def parts():
        for number in range(3):
            taken.append(number)
            yield Part(np.array([number]), np.array([0]), np.array([[0.5, 0.5]], np.float32))

    with pytest.raises(OSError, match="test"):
        predictions.write(parts(), ClassTables(facts), Names(), tmp_path / "test")
    assert taken == [0, 1, 2]
