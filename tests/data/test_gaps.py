"""Gaps, dates and names of rows: what becomes of them in the training, and at a prediction."""

from io import StringIO

import numpy as np
import pandas
import pytest
import torch

from hpc_dl.cli import main
from hpc_dl.data.tables.files import read_rows
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.tables import Csv
from hpc_dl.predictor import load as load_predictor
from hpc_dl.tracking import model
from tests.support import exports, reading

ROWS = 90


def people():
    """Rows of numbers, words and dates, with gaps."""
    random, number = np.random.default_rng(1), np.arange(ROWS)
    table = pandas.DataFrame(
        {
            "who": [f"p{n}" for n in number],
            "age": random.integers(17, 80, ROWS) / 1.0,
            "job": np.array(["clerk", "sales"])[number % 2],
            "seen": [f"{n % 28 + 1:02}.{n % 12 + 1:02}.2021" for n in number],
            "income": np.where(random.random(ROWS) > 0.5, "low", "high"),
        }
    )
    table.loc[[3, 40, 77], "age"] = np.nan
    table.loc[[4, 40], "job"] = None
    return table


def csv(folder, table=None, **options):
    file = folder / "people.csv"
    (people() if table is None else table).to_csv(file, index=False)
    options = {"target": "income", "dates": ["seen"], "index": "who", **options}
    return Csv(name="csv", path=str(file), **options)


def exported(folder, source):
    facts = reading.describe(source, folder)
    network = {"name": "ffnn", "hidden": [8]}
    return exports.export(folder / "export", network, facts, data=source.model_dump())


@pytest.mark.parametrize("how", ["mean", "median"])
def test_numbers_are_filled_in_as_the_training_rows_alone_have_it(tmp_path, how):
    splits = reading.load(csv(tmp_path, missing=how), tmp_path)
    assert splits.facts.columns == ("age", "job=clerk", "job=sales", "job is missing", "seen")
    trained = people()["age"].to_numpy()[splits.train.index]
    wanted = getattr(np, f"nan{how}")(trained)
    assert wanted != getattr(np, f"nan{how}")(people()["age"])  # other rows say otherwise
    for split in (splits.train, splits.validation, splits.test):
        gaps = np.isin(split.index, [3, 40, 77])
        assert torch.equal(split.tensors["table"][gaps, 0], torch.full((gaps.sum(),), wanted))
        assert not split.tensors["table"].isnan().any()
    predictor = load_predictor(exported(tmp_path, csv(tmp_path, missing=how)))
    row = {"age": None, "job": "clerk", "seen": "2021-05-03"}
    row["seen"] = "03.05.2021"
    given, filled = (predictor.predict({**row, "age": age}) for age in (None, wanted))
    np.testing.assert_array_equal(given["probabilities"], filled["probabilities"])


def test_rows_with_gaps_are_left_out_and_the_others_keep_their_names(tmp_path):
    source = csv(tmp_path, missing="drop")
    splits = reading.load(source, tmp_path)
    assert sum(map(len, (splits.train, splits.validation, splits.test))) == ROWS - 4
    assert "4 of 90 rows are left out for their gaps: 3 in 'age', 2 in 'job'" in splits.facts.notes
    assert [splits.names.of(n) for n in (2, 3, 85)] == ["p2", "p5", "p89"]
    numbered = reading.load(source.model_copy(update={"index": None, "drop": ["who"]}), tmp_path)
    assert [numbered.names.of(n) for n in (2, 3, 85)] == ["3", "6", "90"]
    with pytest.raises(
        UserError, match=r"column 'age' is missing.*: row 4 after the header, row 41"
    ):
        load_predictor(exported(tmp_path, source)).predict(tmp_path / "people.csv")


def test_dates_are_the_same_days_in_every_file(tmp_path):
    source = csv(tmp_path)
    train = reading.load(source, tmp_path).train
    days = train.tensors["table"][:, -1]
    wanted = pandas.to_datetime(people()["seen"], format="%d.%m.%Y") - pandas.Timestamp(0)
    assert torch.equal(days.double(), torch.tensor(wanted.dt.days.to_numpy()[train.index]).double())
    predictor = load_predictor(exported(tmp_path, source))
    row = {"age": 30.0, "job": "clerk"}
    moments = (
        "03.05.2021",
        pandas.Timestamp("2021-05-03"),
        pandas.Timestamp("2021-05-03", tz="UTC"),
    )
    expected, *others = (predictor.predict({**row, "seen": seen}) for seen in moments)
    for found in others:
        np.testing.assert_array_equal(found["probabilities"], expected["probabilities"])
    with pytest.raises(UserError, match=r"column 'seen' is no date as %d\.%m\.%Y: '2021-05-03'"):
        predictor.predict({**row, "seen": "2021-05-03"})


def test_what_is_predicted_of_a_file_has_the_names_of_its_rows(tmp_path, capsys):
    export = exported(tmp_path, csv(tmp_path))
    people().drop(columns="income").to_csv(tmp_path / "new.csv", index=False)
    assert main(["predict", str(export), str(tmp_path / "new.csv"), "--probabilities"]) == 0
    printed = pandas.read_csv(StringIO(capsys.readouterr().out))
    assert printed.columns.tolist() == [
        "who",
        "class",
        "probability",
        "probability of high",
        "probability of low",
    ]
    assert printed["who"].tolist() == people()["who"].tolist()
    people()[["age", "job", "seen"]].to_csv(tmp_path / "new.csv", index=False)
    assert main(["predict", str(export), str(tmp_path / "new.csv")]) == 0
    assert capsys.readouterr().out.startswith("row,class,")


@pytest.mark.slow
def test_mlflow_fills_gaps_and_reads_dates_as_the_training_did(tmp_path):
    import mlflow

    export = exported(tmp_path, csv(tmp_path, missing="median"))
    model.save(export, str(tmp_path / "model"))
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert loaded.metadata.get_input_schema().input_names() == ["age", "job", "seen"]
    given = people().drop(columns=["who", "income"])
    expected = load_predictor(export).predict(tmp_path / "people.csv")
    np.testing.assert_array_equal(loaded.predict(given)["probabilities"], expected["probabilities"])


def test_a_frame_has_no_attributes_which_pandas_would_copy_with_each_column(tmp_path):
    (tmp_path / "t.csv").write_text("x,kind\n" + "1,a\nNA,b\n" * 9)
    rows = read_rows(Csv(name="csv", path=str(tmp_path / "t.csv"), target="kind"), "path")
    assert rows.gap_words == {"x": ["NA"]}
    assert not rows.frame.attrs
