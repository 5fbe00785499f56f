"""A user's table: numbers and words in, classes or numbers out; what is wrong is named."""

import dataclasses

import numpy as np
import pandas
import pytest
import torch

from hpc_dl.errors import UserError
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.sources.tables import Csv, Parquet
from hpc_dl.planning.compatibility import SpecConflict, check
from hpc_dl.predictor import load as load_predictor
from tests.support import ranks, reading
from tests.support.running import history, new_run

ROWS = 80


def frame():
    number = np.arange(ROWS)
    return pandas.DataFrame(
        {
            "size": 100 + 10.0 * number,
            "colour": np.where(number % 3 == 0, "red", np.where(number % 3 == 1, "blue", "green")),
            "id": [f"row-{n}" for n in number],
            "price": 1000.0 + 7 * number + 50 * (number % 3 == 0),
            "dear": np.where(number < 40, "no", "yes"),
        }
    )


def csv(folder, table=None, **options):
    path = folder / "table.csv"
    (frame() if table is None else table).to_csv(path, index=False)
    options = {"target": "dear", "drop": ["id", "price"], **options}
    return Csv(name="csv", path=str(path), **options)


def load(source, folder):
    return reading.load(source, folder, folder)


def test_numbers_stay_words_become_columns_and_values_of_the_target_classes(tmp_path):
    splits = load(csv(tmp_path), tmp_path)
    assert splits.facts.columns == ("size", "colour=blue", "colour=green", "colour=red")
    assert splits.facts.classes == ("no", "yes")
    assert [len(it) for it in (splits.train, splits.validation, splits.test)] == [64, 8, 8]
    batch = splits.train.batch(torch.arange(64))
    number = (batch["table"][:, 0] - 100) / 10
    assert torch.equal(number.long(), batch["index"])
    assert torch.equal(batch["table"][:, 3].bool(), batch["index"] % 3 == 0)
    assert torch.equal(batch["table"][:, 1:].sum(dim=1), torch.ones(64))
    assert torch.equal(batch["label"].bool(), batch["index"] >= 40)


def test_a_parquet_file_gives_the_same(tmp_path):
    frame().to_parquet(tmp_path / "table.parquet")
    options = {"target": "dear", "drop": ["id", "price"]}
    parquet = Parquet(name="parquet", path=str(tmp_path / "table.parquet"), **options)
    ours, theirs = (load(it, tmp_path) for it in (parquet, csv(tmp_path)))
    assert dataclasses.asdict(ours.facts) == dataclasses.asdict(theirs.facts)
    assert torch.equal(ours.train.tensors["table"], theirs.train.tensors["table"])


def test_what_is_known_before_is_what_is_loaded(tmp_path):
    for options in ({}, {"target": "price", "task": "regress", "drop": ["id", "dear"]}):
        source = csv(tmp_path, **options)
        assert reading.describe(source, tmp_path) == load(source, tmp_path).facts


def gap(table):
    table.loc[6, "dear"] = np.nan


def infinity(table):
    table.loc[7, "size"] = np.inf


def without_rows(table):
    return table.iloc[:0]


def word(table):
    table["size"] = table["size"].astype(object)
    table.loc[3, "size"] = "many"


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (gap, {}, "column 'dear', a target, has 1 gap: row 7 after the header"),
        (infinity, {}, "column 'size' is not finite: inf .row 8 after the header"),
        (word, {}, "'size' is of numbers, but also of words: 'many' .row 4 after the header"),
        (None, {"target": "dare"}, "has no column 'dare'"),
        (None, {"drop": ["colours"]}, "data.drop: .* has no column 'colours'"),
        (None, {"target": "size", "drop": ["id"]}, "'size' has 80 values in 80 rows"),
        (
            None,
            {"target": "colour", "task": "regress"},
            "words, where numbers are .*: column 'colour' has 3",
        ),
        (None, {"path": "nowhere.csv"}, "there is no file nowhere.csv"),
        (without_rows, {}, "has no rows"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, change, options, message):
    table = frame()
    if change:
        changed = change(table)
        table = table if changed is None else changed
    source = csv(tmp_path, table, **{k: v for k, v in options.items() if k != "path"})
    if "path" in options:
        source = source.model_copy(update=options)
    with pytest.raises(UserError, match=message):
        reading.describe(source, tmp_path)


def test_a_class_that_is_not_trained_on_is_named(tmp_path):
    table = frame()
    table["dear"] = ["maybe"] + ["no"] * 79
    assert reading.describe(csv(tmp_path, table), tmp_path).class_counts["train"] == (1, 63)
    seeds = range(40)
    with pytest.raises(UserError, match=r"no example of 'maybe' \(1 in all\) to train on"):
        for seed in seeds:  # in one of which the only one is held out
            reading.describe(csv(tmp_path, table, split_seed=seed, stratify=False), tmp_path)


def test_tables_are_not_for_networks_of_images(tmp_path):
    source = csv(tmp_path)
    spec = {
        "name": "x",
        "model": {"name": "cnn"},
        "data": source.model_dump(exclude_unset=True),
        "train": {"epochs": 1},
    }
    with pytest.raises(SpecConflict, match="csv is table data") as caught:
        check(JobSpec.model_validate(spec), reading.describe(source, tmp_path), None)
    assert "ffnn" in caught.value.hint


def trained(folder, **data):
    source = csv(folder, **data).model_dump(exclude_unset=True)
    train = {"epochs": 40, "optimizer": {"name": "adamw", "lr": 0.01}}
    data = {**source, "batch_size": 16}
    return ranks.train(new_run(folder, data=data, train=train))


def test_numbers_are_predicted_in_their_own_units_from_columns_as_they_are(tmp_path):
    run = trained(tmp_path, target="price", task="regress", drop=["id", "dear"])
    tested = {k: v for _, values in history(run) for k, v in values.items() if "test/" in k}
    assert tested["test/r2"] > 0.95
    assert tested["test/mae"] < 40  # of prices that differ by hundreds
    names = {path.name for path in run.artifacts.iterdir()}
    assert {"predictions", "residuals"} <= names
    rows = [{"size": 100, "colour": "red"}, {"size": 890, "colour": "blue"}]  # rows 0 and 79
    predicted = load_predictor(run.export).predict(rows)["target"][:, 0]
    assert predicted == pytest.approx([1050, 1553], abs=120)


def test_classes_are_told(tmp_path):
    run = trained(tmp_path)
    tested = {k: v for _, values in history(run) for k, v in values.items() if "test/" in k}
    assert tested["test/accuracy"] >= 0.85
