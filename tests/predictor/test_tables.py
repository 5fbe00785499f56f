"""What is predicted of the raw rows of a table, by the names of their columns."""

import json
import shutil
from io import StringIO

import numpy as np
import pandas
import pyarrow
import pytest

from hpc_dl.cli import main
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.arrays import Npz
from hpc_dl.jobspec.sources.tables import Csv
from hpc_dl.predictor import load
from hpc_dl.tracking import model
from tests.support import exports, reading

FFNN = {"name": "ffnn", "hidden": [8]}


def people(count=60):
    """Rows of numbers and words with gaps, one true or false, and what is not looked at."""
    random, number = np.random.default_rng(0), np.arange(count)
    table = pandas.DataFrame(
        {
            "age": random.integers(17, 80, count),
            "job": np.array(["clerk", "manager", "sales"])[number % 3],
            "hours": random.integers(10, 70, count) / 1.0,
            "married": number % 2 == 0,
            "name": [f"person {n}" for n in number],
            "height": 150 + random.random(count) * 40,
            "income": np.where(random.random(count) > 0.4, "<=50K", ">50K"),
        }
    )
    table.loc[3, "hours"], table.loc[4, "job"] = np.nan, None
    return table


def exported(folder, table=None, **options):
    """The export of a network for the rows of a file."""
    options = {"target": "income", "drop": ["name", "height"], **options}
    (people() if table is None else table).to_csv(folder / "people.csv", index=False)
    source = Csv(name="csv", path=str(folder / "people.csv"), **options)
    facts = reading.describe(source, folder)
    return exports.export(folder / "export", FFNN, facts, data=source.model_dump())


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def predictor(export):
    return load(export)


LOOKED_AT = ["age", "job", "hours", "married"]


def by_columns(table):
    return {name: table[name].tolist() for name in LOOKED_AT}


def by_rows(table):
    return table[LOOKED_AT].to_dict("records")


def with_none(table):
    return table.astype(object).where(table.notna(), None)


def of_other_types(table):
    return table.astype({"age": "float64", "job": "category", "married": "Int64"})


def without_some(table):
    return table[LOOKED_AT[::-1]]


@pytest.mark.parametrize(
    "changed",
    [without_some, by_columns, by_rows, with_none, of_other_types],
    ids=lambda it: it.__name__,
)
def test_rows_are_known_by_the_names_of_their_columns(predictor, changed):
    expected, found = predictor.predict(people()), predictor.predict(changed(people()))
    assert set(found) == {"probabilities", "label", "class"}
    assert len(np.unique(expected["probabilities"])) > 50  # they do differ from row to row
    np.testing.assert_array_equal(found["probabilities"], expected["probabilities"])
    assert set(found["class"]) <= {"<=50K", ">50K"}
    assert found["class"].tolist() == np.array(["<=50K", ">50K"])[found["label"]].tolist()


def test_one_row_of_gaps_and_rows_of_a_repeated_index_are_as_all_rows(predictor):
    expected = predictor.predict(people())["probabilities"]
    for row, name in ((3, "hours"), (4, "job")):
        for gap in (None, np.nan, pandas.NA):
            alone = people()[LOOKED_AT].iloc[row].to_dict() | {name: gap}
            for given in (alone, [alone], pandas.DataFrame([alone])):
                found = predictor.predict(given)["probabilities"]
                np.testing.assert_allclose(found, expected[[row]], rtol=1e-5)  # as float32 sums
    twice = pandas.concat([people(), people()])
    both = predictor.predict(twice)["probabilities"]
    np.testing.assert_allclose(both, np.concatenate([expected, expected]), rtol=1e-5)


def test_columns_keep_their_names_in_tables_of_any_kind(tmp_path):
    table = people()[["age", "height", "income"]]
    predictor = load(exported(tmp_path, table, drop=[]))
    expected = predictor.predict(table)["probabilities"]
    table.to_parquet(tmp_path / "people.pq")
    arrow = pyarrow.Table.from_pandas(table[["height", "age"]])
    for given in (arrow, dict(table), tmp_path / "people.pq"):
        np.testing.assert_array_equal(predictor.predict(given)["probabilities"], expected)
    for age in (table["age"][::-1], table["age"].set_axis(range(100, 160))):
        with pytest.raises(UserError, match="its columns have different indices"):
            predictor.predict({"age": age, "height": table["height"]})


def test_one_row_and_a_file_are_as_all_rows(predictor, tmp_path):
    expected = predictor.predict(people())["probabilities"]
    row = people().iloc[5]
    for given in (row, row[LOOKED_AT].to_dict(), [row[LOOKED_AT].to_dict()]):
        np.testing.assert_allclose(predictor.predict(given)["probabilities"], expected[5:6], 1e-6)
    people()[without_some(people()).columns].to_csv(tmp_path / "some.csv", index=False, sep=";")
    people().to_parquet(tmp_path / "all.parquet")
    people().to_csv(tmp_path / "index.csv")
    for file in ("some.csv", "all.parquet", "index.csv"):
        found = predictor.predict(str(tmp_path / file))["probabilities"]
        np.testing.assert_array_equal(found, expected)


def change(column, value, row=7):
    def changed():
        table = people().astype({column: object})
        table.loc[row, column] = value
        return table

    return changed


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: people().drop(columns="hours"), "the table has no column 'hours'"),
        (lambda: people().rename(columns={"hours": "Hours"}), "no column 'hours'"),
        (lambda: people().assign(extra=1), "a column 'extra', which the training did not have"),
        (lambda: people()[["age", *people().columns]], "several columns 'age'"),
        (lambda: people().iloc[:0], "no rows"),
        (lambda: [{"age": 1}, {"age": 1, "job": "clerk"}], "row 2 and row 1 do not have the same"),
        (lambda: {"age": [1, 2], "job": ["clerk"]}, "the table: .* same length"),
        (lambda: np.zeros((3, 7)), "has columns of words, such as 'job', and is no array"),
        (lambda: np.zeros((3, 4)), "has columns of words, such as 'job', and is no array"),
        (lambda: "nowhere.csv", "there is no file nowhere.csv"),
        (
            change("job", "Clerk"),
            "column 'job' has words that no row to train on has: 'Clerk' .row 8",
        ),
        (change("age", None), "column 'age' is missing, and no row to train on misses it: row 8"),
        (change("age", "old"), "column 'age' has to be a number: 'old' .row 8"),
        (change("age", "1,5"), "column 'age' has to be a number: '1,5' .row 8"),
        (change("age", np.inf), "column 'age' is not finite: inf .row 8"),
        (change("age", 1e300), "column 'age' has what floats cannot hold: 1e.300 .row 8"),
        (
            change("age", pandas.Timestamp(0)),
            "column 'age' has to be a number: 1970-01-01 00:00:00 .row 8",
        ),
        (change("age", "30"), "column 'age' has to be a number, not text: '30' .row 8"),
        (
            lambda: people().assign(age=True),
            "column 'age' has to be a number: True .60 rows, the first is row 1",
        ),
        (change("married", 2), "column 'married' has to be true or false: 2 .row 8"),
        (change("married", "yes"), "column 'married' has to be true or false: 'yes' .row 8"),
    ],
)
def test_rows_that_do_not_fit_are_refused_with_row_and_column(predictor, given, message):
    with pytest.raises(UserError, match=message):
        predictor.predict(given())


def test_numbers_alone_may_be_an_array_in_the_order_of_the_file(tmp_path):
    table = people()[["age", "married", "height", "income"]]
    predictor = load(exported(tmp_path, table, drop=[]))
    expected = predictor.predict(table)["probabilities"]
    array = table[["age", "married", "height"]].to_numpy().astype(float)
    for given in (array, array.tolist()):
        np.testing.assert_array_equal(predictor.predict(given)["probabilities"], expected)
    with pytest.raises(UserError, match=r"\(60, 2\), but has to be \(N, 3\): age, married, height"):
        predictor.predict(array[:, :2])


def test_numbers_come_in_their_own_units_under_their_own_names(tmp_path, capsys):
    export = exported(
        tmp_path,
        target=["height", "hours2"],
        task="regress",
        drop=["name", "income"],
        table=people().assign(hours2=7),
    )
    found = load(export).predict(people())["target"]
    assert main(["predict", str(export), str(tmp_path / "people.csv")]) == 0
    printed = pandas.read_csv(StringIO(capsys.readouterr().out))
    assert printed.columns.tolist() == ["row", "height", "hours2"]
    np.testing.assert_allclose(printed[["height", "hours2"]].to_numpy(), found)


def test_a_table_prints_classes_and_their_probabilities(export, capsys):
    assert main(["predict", str(export), str(export.parent / "people.csv"), "--probabilities"]) == 0
    printed = pandas.read_csv(StringIO(capsys.readouterr().out))
    found = load(export).predict(people())
    assert printed["class"].tolist() == found["class"].tolist()
    columns = ["probability of <=50K", "probability of >50K"]
    np.testing.assert_allclose(printed[columns], found["probabilities"], rtol=1e-5)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_that_is_read_part_by_part_is_predicted_as_a_whole(export, tmp_path, capsys, suffix):
    table = people().assign(job=people()["job"].where(people().index < 40, "manager"))
    getattr(table, f"to_{suffix}")(file := tmp_path / f"x.{suffix}", index=False)
    expected = load(export).predict(str(file))["class"].tolist()
    for size in ("7", "60", "61"):
        assert main(["predict", str(export), str(file), "--batch-size", size]) == 0
        printed = pandas.read_csv(StringIO(capsys.readouterr().out))
        assert printed["class"].tolist() == expected
        assert printed["row"].tolist() == [*range(1, 61)]


def test_rows_that_do_not_fit_are_named_by_their_numbers_and_left_out_when_asked(
    export, tmp_path, capsys
):
    table = people()
    table.loc[[17, 44], "job"] = "pirate"
    table.to_csv(tmp_path / "x.csv", index=False)
    words = ["predict", str(export), str(tmp_path / "x.csv"), "--batch-size", "8"]
    assert main(words) == 2
    printed, said = capsys.readouterr()
    assert printed == ""
    for row in (18, 45):
        assert f"that no row to train on has: 'pirate' (row {row} after the header)" in said
    assert "2 examples cannot be read, so nothing is written" in said
    assert main([*words, "--skip-broken"]) == 0
    rows = pandas.read_csv(StringIO(capsys.readouterr().out))["row"].tolist()
    assert rows == [it for it in range(1, 61) if it not in (18, 45)]
    table.drop(columns="age").to_csv(tmp_path / "x.csv", index=False)
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "has no column 'age'" in said
    assert "broken" not in said


def test_mlflow_knows_columns_by_name_and_takes_what_pandas_has(export, predictor, tmp_path):
    import mlflow

    model.save(export, str(tmp_path / "model"))
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert loaded.metadata.get_input_schema().input_names() == LOOKED_AT
    expected = predictor.predict(people())
    for changed in (lambda it: it, without_some, by_rows, by_columns, of_other_types, with_none):
        found = loaded.predict(changed(people()))
        np.testing.assert_array_equal(found["probabilities"], expected["probabilities"])
        assert found["class"].tolist() == expected["class"].tolist()
    with pytest.raises(Exception, match="hours"):
        loaded.predict(people().drop(columns="hours"))


def test_the_export_says_what_its_columns_are(export):
    said = json.loads((export / "model.json").read_text())["facts"]["raw"]
    assert [it["name"] for it in said if it["part"] == "input"] == LOOKED_AT


def test_an_export_of_before_there_were_dates_and_fills_predicts_the_same(export, tmp_path):
    former = shutil.copytree(export, tmp_path / "export") / "model.json"
    about = json.loads(former.read_text())
    for column in about["facts"]["raw"]:
        for key in ("format", "fill", "summary"):
            del column[key]
    former.write_text(json.dumps(about))
    found, expected = (load(it).predict(people()) for it in (former.parent, export))
    np.testing.assert_array_equal(found["probabilities"], expected["probabilities"])


def test_a_table_is_refused_where_the_training_knew_no_names(tmp_path, capsys):
    np.savez(tmp_path / "x.npz", x=np.zeros((40, 2)), y=np.arange(40) % 2)
    facts = reading.describe(Npz(name="npz", path=str(tmp_path / "x.npz")), tmp_path)
    predictor = load(exports.export(tmp_path / "export", FFNN, facts))
    table = pandas.DataFrame(np.zeros((3, 2)), columns=["b", "a"])
    with pytest.raises(UserError, match="was trained on arrays without any") as caught:
        predictor.predict(table)
    assert "to_numpy" in caught.value.hint
    table.to_csv(tmp_path / "x.csv")
    assert main(["predict", str(tmp_path / "export"), str(tmp_path / "x.csv")]) == 2
    assert "x.csv: the network was trained on arrays, table" in capsys.readouterr().err


def test_a_network_that_was_trained_on_arrays_with_gaps_predicts_them_as_the_mean(tmp_path):
    x = np.where(np.arange(80).reshape(40, 2) % 7, np.arange(80.0).reshape(40, 2), np.nan)
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(40) % 2)
    source = Npz(name="npz", path=str(tmp_path / "x.npz"), missing="mean")
    splits = reading.load(source, tmp_path)
    assert splits.train.tensors["table"].isnan().any()
    predictor = load(exports.export(tmp_path / "export", FFNN, splits.facts))
    predictor.nets["model"][0].mean.fill_(5)
    found = predictor.predict(np.array([[np.nan, 1], [5, 1]]))["probabilities"]
    np.testing.assert_array_equal(found[0], found[1])
    with pytest.raises(UserError, match=r"table\[0, 0\] is inf; it has to be finite"):
        predictor.predict(np.array([[np.inf, 1]]))


def test_a_missing_table_is_an_error_in_one_line(export, capsys):
    assert main(["predict", str(export), "nowhere.csv"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert "nowhere.csv" in err


def germans(folder, name, separator=";"):
    """Write people as a German Excel does, without a header, and with '-' for what is missing."""
    table = people()[["age", "job", "hours", "income"]]
    table["hours"] += 0.5
    table["job"] = table["job"].fillna("-")
    text = table.to_csv(sep=separator, decimal=",", na_rep="-", index=False, header=False)
    (folder / name).write_text(text, encoding="cp1252")
    return str(folder / name)


def test_a_file_is_read_by_the_options_of_the_training(tmp_path):
    options = {
        "sep": ";",
        "decimal": ",",
        "encoding": "cp1252",
        "names": ["age", "job", "hours", "income"],
        "na_values": ["-"],
    }
    source = Csv(name="csv", path=germans(tmp_path, "t.csv"), target="income", **options)
    facts = reading.describe(source, tmp_path)
    assert [(it.type, it.gaps) for it in facts.raw] == [
        *[("number", 0), ("words", 1), ("number", 1), ("words", 0)]
    ]
    export = exports.export(tmp_path / "export", FFNN, facts, data=source.model_dump())
    table = people()[["age", "job", "hours"]]
    table["hours"] += 0.5
    expected = load(export).predict(table)["probabilities"]
    found = load(export).predict(germans(tmp_path, "others.csv"))["probabilities"]
    np.testing.assert_array_equal(found, expected)
    (tmp_path / "commas.csv").write_text("30,clerk,7,<=50K\n")
    with pytest.raises(UserError, match=r"commas\.csv: no row has the separator ';'") as it:
        load(export).predict(tmp_path / "commas.csv")
    assert "rows in a DataFrame" in it.value.hint


def test_a_file_has_a_header_as_that_of_the_training_and_may_be_one_column(tmp_path):
    table = pandas.DataFrame({"400.5": np.arange(60) / 7, "kind": ["a", "b"] * 30})
    predictor = load(exported(tmp_path, table, target="kind", drop=[], header=True))
    table[["400.5"]].to_csv(tmp_path / "rows.csv", index=False)
    found = predictor.predict(tmp_path / "rows.csv")["probabilities"]
    assert (found == predictor.predict(table[["400.5"]])["probabilities"]).all()


def test_the_export_of_before_there_were_options_reads_files(export):
    description = export / "model.json"
    told = json.loads(description.read_text())
    del told["facts"]["csv"]
    expected = load(export).predict(people())["probabilities"]
    description.write_text(json.dumps(told))
    found = load(export).predict(export.parent / "people.csv")["probabilities"]
    np.testing.assert_array_equal(found, expected)


def test_categories_are_read_as_they_stand_there(tmp_path):
    table = people().assign(zip=["01234", "1234", "99.10"] * 20)
    export = exported(tmp_path, table, categories=["zip"])
    predictor = load(export)
    raw = json.loads((export / "model.json").read_text())["facts"]["raw"]
    assert tuple({it["name"]: it["words"] for it in raw}["zip"]) == ("01234", "1234", "99.10")
    from_file = predictor.predict(tmp_path / "people.csv")
    assert from_file["probabilities"].tolist() == predictor.predict(table)["probabilities"].tolist()
    with pytest.raises(UserError, match="words that no row to train on has: 1235"):
        predictor.predict(table.assign(zip=1235))
