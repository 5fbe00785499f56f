"""Numbers that are large beside what they differ by: nothing of the difference is lost."""

import numpy as np
import pandas
import pytest
import torch
from sklearn.metrics import r2_score

from hpc_dl import tasks
from hpc_dl.data import precision, validation
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.sources.arrays import Npz
from hpc_dl.jobspec.sources.tables import Csv
from hpc_dl.jobspec.sources.user import UserData
from hpc_dl.predictor import load as load_predictor
from hpc_dl.tasks.statistics import Moments
from hpc_dl.zoo.layers.standardise import Rescaled, Standardise
from tests.support import ranks, reading
from tests.support.measured import together
from tests.support.running import history, new_run

OFFSET = -406757.0
"""Of energies that differ by 7, as a molecule's in kcal/mol do."""
UNIX = 1.7e9


def energies(count=4000):
    """Targets, and outputs of which R² is 1 - 0.65² / 7² = 0.9913 up to chance."""
    random = np.random.default_rng(0)
    target = OFFSET + 7 * random.standard_normal((count, 1))
    return target, target + 0.65 * random.standard_normal((count, 1))


def measured(outputs, target, parts=4):
    """The metrics over batches, as an evaluation adds them up."""
    facts = DataFacts.of("table", "regress", (1,), (), 10, 10, 10, targets=("energy",))
    task = tasks.build(facts, examples={"target": target})
    pairs = zip(outputs.chunk(parts), target.chunk(parts), strict=True)
    return together(*(task.measure(out, {"target": true}) for out, true in pairs))


@pytest.mark.parametrize("offset", [0.0, OFFSET, UNIX])
def test_metrics_of_targets_with_a_large_offset_are_those_without_it(offset):
    target, outputs = (torch.from_numpy(it - OFFSET + offset) for it in energies())
    found = measured(outputs, target)
    error = (outputs - target).square().sum() / (target - target.mean()).square().sum()
    assert found["r2"] == pytest.approx(1 - float(error), abs=1e-7)
    assert found["r2"] == pytest.approx(0.9913, abs=5e-4)
    assert found["rmse"] == pytest.approx(0.65, abs=0.02)
    assert found["mae"] == pytest.approx(0.65 * np.sqrt(2 / np.pi), abs=0.02)
    assert found["loss"] == pytest.approx(float(error), rel=1e-4)


def test_outputs_in_the_targets_units_have_all_their_digits():
    network = Rescaled(torch.nn.Identity(), 1)
    target = torch.tensor([[UNIX + 1], [UNIX + 2], [UNIX + 3]], dtype=torch.float64)
    network.units.fit(Moments.of(target))
    standard = (target - target.mean()) / target.std(unbiased=False)
    assert network(standard.float()).sub(target).abs().max() < 1e-6


def test_columns_are_standardised_before_they_lose_their_digits():
    table = torch.tensor([[UNIX, 2451545.25], [UNIX + 1, 2451545.5]], dtype=torch.float64)
    layer = Standardise([2])
    layer.fit(Moments.of(table))
    assert layer(table).tolist() == [[-1, -1], [1, 1]]
    assert layer(table).dtype == torch.float32


def test_what_never_changed_in_training_says_nothing_and_a_gap_is_as_the_mean():
    layer = Standardise([2])
    train = torch.tensor([[0.1, 1.0], [0.1, 3.0], [0.1, torch.nan]], dtype=torch.float64)
    layer.fit(Moments.of(train))
    assert layer(torch.tensor([[7.0, torch.nan]])).tolist() == [[0, 0]]
    assert layer(torch.tensor([[0.1, 3.0]])).tolist() == [[0, 1]]


def test_float64_is_kept_only_where_it_is_needed():
    few = torch.tensor([[1.5, 0.1], [2.5, 0.1]], dtype=torch.float64)
    many = torch.tensor([[1.5, UNIX], [2.5, UNIX + 1]], dtype=torch.float64)
    assert precision.loses_digits([few]).tolist() == [False, False]
    assert precision.loses_digits([many]).tolist() == [False, True]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1e300, "too large for floats, 1e+300,"),
        (2**60 + 1, f"too large for floats, {2**60 + 1},"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_that_cannot_be_held_are_named_with_their_place(value, shown):
    given = torch.from_numpy(np.array([[0, 0], [0, value]]))
    with pytest.raises(UserError) as caught:
        validation.check_numbers(given, "x")
    assert caught.value.message == f"x: {shown} in 1 of 2 examples: [1, 1]"


def test_large_integers_keep_their_last_digit():
    given = torch.tensor([[2**24], [2**24 + 1]])
    assert validation.check_numbers(given, "x").diff(dim=0).item() == 1


def seconds(count=400):
    """Moments within a day, of which those at odd hours are of class 1; and one that is not."""
    hour = np.random.default_rng(0).integers(0, 2, count)
    return UNIX + 30.0 * hour, hour


def test_sequences_that_would_lose_their_digits_are_refused(tmp_path):
    time, label = seconds(40)
    np.savez(tmp_path / "x.npz", x=np.stack([time, time], axis=1)[:, :, None], y=label)
    source = Npz(name="npz", path=str(tmp_path / "x.npz"), kind="sequence")
    with pytest.raises(UserError, match="data: sequence: column 0, like 17000000"):
        reading.load(source, tmp_path, tmp_path)


OWN = """
import numpy as np

def times():
    label = np.arange(60) % 2
    return {"train": {"table": 1.7e9 + 30.0 * label[:, None], "label": label}}

def energies():
    x = np.arange(60.0)[:, None]
    return {"train": {"table": x, "target": -406757 + x[:, 0] / 100}}
"""

GRAPHS = """
import torch
from torch_geometric.data import Data

def times():
    edge = torch.tensor([[0, 1], [1, 0]])
    x = [torch.tensor([[1.7e9], [1.7e9 + n]], dtype=torch.float64) for n in range(40)]
    return [Data(x=it, edge_index=edge, y=torch.tensor([n % 2])) for n, it in enumerate(x)]
"""


def test_own_tables_and_targets_keep_their_digits_and_graphs_are_refused(tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "graphs.py").write_text(GRAPHS)

    def own(name):
        return reading.load(UserData.model_validate({"name": name}), tmp_path, tmp_path)

    assert own("mine.py:times").train.tensors["table"].unique().tolist() == [UNIX, UNIX + 30]
    split = own("mine.py:energies").train
    assert split.tensors["table"].dtype == torch.float32  # which is enough
    assert len(split.tensors["target"].unique()) == len(split)
    with pytest.raises(UserError, match="graph 1, 2, 3 and 36 more: x: column 0, like 1700000000"):
        own("graphs.py:times")


def final(run):
    return {k: v for _, values in history(run) for k, v in values.items() if "test/" in k}


def test_a_column_of_unix_times_is_as_good_as_one_that_begins_at_0(tmp_path):
    time, label = seconds()
    table = pandas.DataFrame({"time": time, "label": np.where(label, "odd", "even")})
    table.to_csv(tmp_path / "t.csv", index=False)
    source = Csv(name="csv", path=str(tmp_path / "t.csv"), target="label")
    data = {**source.model_dump(exclude_unset=True), "batch_size": 32}
    train = {"epochs": 5, "optimizer": {"name": "adamw", "lr": 0.01}}
    run = ranks.train(new_run(tmp_path, data=data, train=train))
    assert final(run)["test/accuracy"] == 1
    answer = load_predictor(run.export).predict(table[["time"]])
    assert answer["label"].tolist() == label.tolist()


def test_a_target_with_a_large_offset_is_learned_and_measured(tmp_path):
    x = np.random.default_rng(0).standard_normal((400, 2))
    energy = OFFSET + 7 * x[:, 0]
    np.savez(tmp_path / "x.npz", x=x, y=energy)
    source = Npz(name="npz", path=str(tmp_path / "x.npz"), task="regress")
    data = {**source.model_dump(exclude_unset=True), "batch_size": 32}
    train = {"epochs": 20, "optimizer": {"name": "adamw", "lr": 0.01}}
    run = ranks.train(new_run(tmp_path, data=data, train=train))
    predicted = load_predictor(run.export).predict(x.astype(np.float32))["target"][:, 0]
    error = np.square(predicted - energy).sum() / np.square(energy - energy.mean()).sum()
    assert error < 0.02
    assert 0.95 < final(run)["test/r2"] < 1
    table = pandas.read_csv(run.artifacts / "test" / "predictions.csv")
    distance = np.abs(table["true y"].to_numpy()[:, None] - energy).min(axis=1)
    assert distance.max() < 1e-8
    quality = pandas.read_csv(run.artifacts / "test" / "per_target.csv")
    assert quality["r2"][0] == pytest.approx(final(run)["test/r2"], abs=1e-5)


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_r2_is_the_same_in_any_unit(unit):
    """A sum of squares is not taken for none because the unit is large."""
    target, outputs = (torch.from_numpy((it - OFFSET) * unit) for it in energies())
    facts = DataFacts.of("table", "regress", (1,), (), 10, 10, 10, targets=("energy",))
    task = tasks.build(facts, examples={"target": target})
    found = together(task.measure(torch.flip(outputs, [0]), {"target": target}))["r2"]
    truth = target.numpy()
    assert found == pytest.approx(r2_score(truth, outputs.flip(0).numpy()))
