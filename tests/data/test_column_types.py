"""Columns of a table's file: numbers however the file writes them, and no number as a category."""

import datetime
import decimal
import json

import numpy as np
import pandas
import pytest

from hpc_dl.cli import main
from hpc_dl.data.tables.number_formats import find_formatted_numbers
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.tables import Csv, Parquet
from tests.support import reading
from tests.support.typed import QUICK, job_file, use_settings

ROWS = 60
ADULT = """Bachelors HS-grad 11th Masters 9th Some-college Assoc-acdm Assoc-voc 7th-8th Doctorate
Prof-school 5th-6th 10th 1st-4th Preschool 12th"""
"""How Adult writes education: seven of sixteen begin with a digit."""


def written(folder, lines, encoding="utf-8", name="table.csv"):
    """A source of a file with these lines, which tells `kind`."""
    (folder / name).write_bytes("\n".join(lines).encode(encoding))
    return Csv(name="csv", path=str(folder / name), target="kind")


def lines_of(separator=",", *, price, other="length"):
    """A table of a price, and of a length in halves."""
    head = separator.join([other, "price", "kind"])
    rows = [separator.join([str(n % 7 + 1), price(n), "ab"[n * 7 % 60 > 30]]) for n in range(ROWS)]
    return [head, *rows]


def facts(source, folder):
    return reading.describe(source, folder)


def column(source, folder, name):
    """The inputs (N,) of a column in the order of the file, which has to be one of numbers."""
    found = reading.load(
        source.model_copy(update={"validation": 0.001, "test": 0.001}), folder, folder
    )
    assert name in found.facts.columns, found.facts.columns
    at, split = found.facts.columns.index(name), found.train
    return split.tensors["table"][:, at][split.index.argsort()]


def prices(n):
    return 1000 + 250.75 * n


def german(n):
    return f"{prices(n):,.2f}".translate(str.maketrans(",.", ".,"))


@pytest.mark.parametrize(
    ("separator", "price", "note"),
    [
        (",", lambda n: f"{prices(n)}", None),
        (";", lambda n: f"{prices(n)}".replace(".", ","), "numbers have a decimal comma"),
        (";", german, "'.' stands between thousands in column 'price'"),
        (";", lambda n: f"{prices(n)}", "numbers have a decimal point"),
        ("\t", lambda n: f"{prices(n)}", "columns are separated by tabs"),
        ("|", lambda n: f"{prices(n):,.2f}", "',' stands between thousands in column 'price'"),
        (",", lambda n: f'"{prices(n):,.2f}"', "',' stands between thousands in column 'price'"),
        (",", lambda n: f'"{prices(n)}"'.replace(".", ","), "numbers have a decimal comma"),
        (",", lambda n: f" +{prices(n):e}", None),
    ],
)
def test_numbers_are_numbers_in_every_dialect(tmp_path, separator, price, note):
    source = written(tmp_path, lines_of(separator, price=price))
    assert column(source, tmp_path, "price").tolist() == pytest.approx(
        list(map(prices, range(ROWS)))
    )
    notes = facts(source, tmp_path).notes
    assert note in notes if note else notes == ()


def test_in_a_file_with_decimal_commas_points_stand_between_thousands(tmp_path):
    lines = ["length;price;kind"]
    lines += [f"{n},5;{n + 1}.250;{'ab'[n % 3 > 0]}" for n in range(ROWS)]
    source = written(tmp_path, lines)
    assert column(source, tmp_path, "price").tolist() == [1000 * (n + 1) + 250 for n in range(ROWS)]
    assert column(source, tmp_path, "length").tolist() == [n + 0.5 for n in range(ROWS)]


@pytest.mark.parametrize(
    ("separator", "price", "message"),
    [
        (
            ";",
            lambda n: f"{n + 1},250",
            "'price' can be read with decimal commas.*: '1,250', '2,250'",
        ),
        (",", lambda n: f'"{n + 1},250"', "'price' can be read with decimal commas, and with"),
        (
            ",",
            lambda n: f"{n} kg",
            "numbers with units, dates or such.*'price' has 60: '0 kg', '1 kg', '2 kg'",
        ),
        (",", lambda n: f"{n}%", "numbers with units, dates or such"),
        (",", lambda n: f"${n}.50", "numbers with units, dates or such"),
        (
            ",",
            lambda n: f"2020-{n % 12 + 1:02}-{n % 28 + 1:02}",
            "numbers with units, dates or such",
        ),
        (",", lambda n: f"{n % 24}:30", "numbers with units, dates or such"),
        (",", lambda n: f"{n % 28 + 1} Jan 2020", "numbers with units, dates or such"),
        (",", hex, "numbers with units, dates or such"),
        (",", lambda n: f"<{n}", "numbers with units, dates or such"),
        (",", lambda n: f"{n}-{n + 5}", "numbers with units, dates or such"),
        (
            ",",
            lambda n: "many" if n == 3 else str(n),
            "of numbers, but also of words: 'many' .row 4 after",
        ),
        (
            ",",
            lambda n: "?" if n % 9 == 4 else str(n),
            "of words: '\\?' .7 rows, the first is row 5 after",
        ),
        (
            ",",
            lambda n: "inf" if n == 3 else str(n),
            "column 'price' is not finite: inf .row 4 after the header",
        ),
        (
            ",",
            lambda n: "1e300" if n == 3 else str(n),
            "has what floats cannot hold: 1e\\+300 .row 4 after",
        ),
        (",", lambda n: str(2**60 + n), f"has what floats cannot hold: {2**60 + 1} .row 2"),
        (",", lambda n: f"item-{n}", "column 'price' has 60 different words.*'item-0', 'item-1'"),
        (",", lambda n: "", "without any value: column 'price'"),
    ],
)
def test_what_is_no_plain_number_is_refused_with_values(tmp_path, separator, price, message):
    with pytest.raises(UserError, match=message):
        facts(written(tmp_path, lines_of(separator, price=price)), tmp_path)


def test_words_with_digits_are_words():
    assert find_formatted_numbers(ADULT.split()) == []
    assert (
        find_formatted_numbers(["A12", "C85", "1st", "v1.2", "level 3", "3D", "S1", "Q1 2020"])
        == []
    )


def frame(**columns):
    number = np.arange(ROWS)
    kind = np.where(number * 7 % 60 > 30, "a", "b")
    return pandas.DataFrame({"length": number % 7, **columns, "kind": kind})


def typed(folder, table, parquet=True):
    """What is known of the columns of a frame in a file, by name."""
    path = folder / f"table.{'parquet' if parquet else 'csv'}"
    table.to_parquet(path) if parquet else table.to_csv(path)
    kind = Parquet if parquet else Csv
    source = kind(name="parquet" if parquet else "csv", path=str(path), target="kind")
    found = facts(source, folder)
    return {it.name: it for it in found.raw}, found


@pytest.mark.parametrize(
    ("values", "kind", "gaps"),
    [
        (pandas.array([1, None, 3] * 20, dtype="Int64"), "number", 20),
        (pandas.array([0.5, None, 3] * 20, dtype="Float32"), "number", 20),
        (pandas.array([True, None, False] * 20, dtype="boolean"), "bool", 20),
        ([True, False, False] * 20, "bool", 0),
        ([decimal.Decimal("1.50"), None, decimal.Decimal("2")] * 20, "number", 20),
        (pandas.Categorical(["x", None, "z"] * 20), "words", 20),
        (pandas.Categorical([4, 5, 6] * 20), "number", 0),
        (["x", None, "z"] * 20, "words", 20),
    ],
)
def test_every_type_of_pandas_is_numbers_or_words_with_gaps(tmp_path, values, kind, gaps):
    column = typed(tmp_path, frame(x=values))[0]["x"]
    assert (column.type, column.gaps, column.values) == (
        kind,
        gaps,
        2 if gaps or kind == "bool" else 3,
    )


@pytest.mark.parametrize(
    "value", [pandas.Timestamp(2020, 1, 1), datetime.date(2020, 1, 1), datetime.time(3)]
)
def test_times_are_refused(tmp_path, value):
    with pytest.raises(
        UserError, match=r"neither numbers nor words: column 'x' is of (dates|times)"
    ):
        typed(tmp_path, frame(x=[value] * ROWS))


def test_gaps_are_inputs_of_their_own_and_noted(tmp_path):
    table = frame(size=np.arange(ROWS) / 2.0, colour=["red", "blue", "red"] * 20)
    table.loc[3, "size"], table.loc[4:5, "colour"] = np.nan, None
    table.to_csv(tmp_path / "t.csv", index=False)
    source = Csv(name="csv", path=str(tmp_path / "t.csv"), target="kind")
    found = facts(source, tmp_path)
    assert found.columns == (
        *("length", "size", "size is missing"),
        *("colour=blue", "colour=red", "colour is missing"),
    )
    assert any("1 in 'size', 2 in 'colour'" in note for note in found.notes)
    assert column(source, tmp_path, "size is missing").nonzero().flatten().tolist() == [3]
    assert column(source, tmp_path, "colour is missing").nonzero().flatten().tolist() == [4, 5]


def test_pandas_index_is_not_trained_on(tmp_path):
    columns, found = typed(tmp_path, frame(), parquet=False)
    assert list(columns) == ["length", "kind"]
    assert "a column without a name numbers the rows, and is left out" in found.notes
    with pytest.raises(UserError, match="column 1 has no name"):
        typed(tmp_path, frame().set_index(np.arange(ROWS) * 3), parquet=False)


def test_what_a_person_should_know_of_columns_is_noted(tmp_path):
    table = frame(same=[1] * ROWS, number=np.arange(1, ROWS + 1))
    table["leak"] = np.where(table["kind"] == "a", "yes", "no")
    notes = " ".join(typed(tmp_path, table)[1].notes)
    assert "column 'same' is the same in all rows" in notes
    assert "column 'number' numbers the rows" in notes
    assert "column 'leak' says all of the target" in notes


def test_a_column_of_other_numbers_does_not_say_all_of_a_target_of_numbers(tmp_path):
    random = np.random.default_rng(0)
    table = pandas.DataFrame({"x": random.random(ROWS), "y": random.random(ROWS)})
    table.to_csv(tmp_path / "t.csv", index=False)
    source = Csv(name="csv", path=str(tmp_path / "t.csv"), target="y", task="regress")
    assert reading.describe(source, tmp_path).notes == ()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["x,kind", *["1,a", "2,a"] * 9], "'kind' is 'a' in all rows: a single class"),
        (["x,kind", *["1,a", "2,"] * 9], "'kind', a target, has 9 gaps: row 2"),
    ],
)
def test_files_that_can_be_read_wrongly_are_refused(tmp_path, lines, message):
    with pytest.raises(UserError, match=message):
        facts(written(tmp_path, lines), tmp_path)


def test_a_column_is_named_once_as_a_target(tmp_path):
    source = written(tmp_path, lines_of(price=str))
    for update in ({"target": ["price", "price"]}, {"drop": ["kind"]}):
        with pytest.raises(UserError, match=r"data\.target: '(price|kind)' is named"):
            facts(source.model_copy(update=update), tmp_path)


def test_encodings_that_are_marked_or_named_are_read_to_the_letter(tmp_path):
    lines = ["größe,kind", *["1,é", "2,b"] * 9]
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
        source = written(tmp_path, lines, encoding)
        if encoding == "latin-1":
            source = source.model_copy(update={"encoding": encoding})
        found = facts(source, tmp_path)
        assert (found.columns, found.classes) == (("größe",), ("b", "é"))


def test_words_of_the_test_that_are_not_trained_on_are_named(tmp_path):
    lines = ["colour,kind", *["red,a", "blue,b"] * 9]
    other = written(tmp_path, ["colour,kind", "red,a", "grey,b"], name="test.csv").path
    source = written(tmp_path, lines).model_copy(update={"test_path": other})
    with pytest.raises(
        UserError, match=r"data\.test_path: .*test\.csv: column 'colour' has words .*'grey' .row 2"
    ) as it:
        facts(source, tmp_path)
    assert it.value.hint == "It knows: blue, red."


def test_the_plan_shows_every_column(tmp_path, monkeypatch, capsys):
    use_settings(monkeypatch, tmp_path)
    source = written(tmp_path, lines_of(";", price=lambda n: german(n) if n else ""))
    data = f"data: {json.dumps(source.model_dump(exclude_unset=True))}"
    file = job_file(tmp_path, QUICK.replace("data: {name: digits}", data))
    assert main(["submit", file, "--local", "--dry-run=plan"]) == 0
    said = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "columns      length  input   number  7 values, 1 to 7, mean 3.9" in said
    assert "price   input   number  59 values, 1250.75 to 15794.2, mean 8522, 1 gap" in said
    assert "kind    target  words   2 values, a 52%, b 48%" in said
    assert "note         numbers have a decimal comma" in said
    assert main(["submit", file, "--local", "--dry-run=plan", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["plan"]["facts"]["raw"]
    assert [(it["name"], it["type"], it["gaps"]) for it in told] == [
        ("length", "number", 0),
        ("price", "number", 1),
        ("kind", "words", 0),
    ]


def test_points_that_may_stand_between_thousands_are_refused(tmp_path):
    lines = lines_of(";", price=lambda n: f"{n + 1}.250")
    with pytest.raises(UserError, match="'price' can be read with decimal points, and with"):
        facts(written(tmp_path, lines), tmp_path)
    plain = lines_of(";", price=lambda n: f"{n + 1}.25")
    source = written(tmp_path, plain)
    assert "numbers have a decimal point" in facts(source, tmp_path).notes
    other = written(tmp_path, [*lines[:5]], name="test.csv").path
    with pytest.raises(UserError, match=r"test\.csv: column 'price' can be read with decimal"):
        facts(source.model_copy(update={"test_path": other}), tmp_path)


def test_another_dialect_of_the_test_file_is_noted(tmp_path):
    test = written(tmp_path, lines_of("\t", price=str)[:9], name="test.csv").path
    source = written(tmp_path, lines_of(price=str)).model_copy(update={"test_path": test})
    assert "in the test file columns are separated by tabs" in facts(source, tmp_path).notes


def test_groups_are_the_same_however_they_are_typed(tmp_path):
    lines = ["who,x,kind", *["1,1,a", "2,2,b", "3,1,b", "4,2,a"] * 6]
    test = written(tmp_path, ["who,x,kind", "4.0,1,a", "5.0,2,b"], name="test.csv").path
    source = written(tmp_path, lines).model_copy(update={"test_path": test, "groups": "who"})
    with pytest.raises(UserError, match="1 group is both in train and in test"):
        facts(source, tmp_path)
    written(tmp_path, [*lines[:9], ",1,a", *lines[9:]])
    with pytest.raises(UserError, match=r"column 'who', a group, has 1 gap: row 9"):
        facts(source, tmp_path)


def test_a_row_with_too_few_fields_is_no_gap(tmp_path):
    lines = ["kind,x,size", *["a,1,2", "b,2,"] * 9]
    assert facts(written(tmp_path, lines), tmp_path).raw[2].gaps == 9


def test_numbers_as_text_are_called_so(tmp_path):
    with pytest.raises(UserError, match=r"column 'x' has numbers as text: '0\.5', '1\.5'"):
        typed(tmp_path, frame(x=[f"{n}.5" for n in range(ROWS)]))
    with pytest.raises(UserError, match="numbers with units, dates or such"):
        facts(written(tmp_path, lines_of(price=lambda n: f"'{n}'")), tmp_path)


def test_targets_that_are_hardly_right_are_refused_or_noted(tmp_path):
    table = frame(x=np.arange(ROWS) % 7 + np.arange(ROWS) // 50, size=np.arange(ROWS) % 25 / 2)
    table["when"] = pandas.to_datetime(["2020-01-01", "2020-01-02"] * (ROWS // 2))
    path = str(tmp_path / "table.parquet")
    table.to_parquet(path)
    for name, task, message in (
        ("size", "classify", "'size' has 25 different values, such as 0.5: hardly classes"),
        ("when", "classify", "'when' is of dates, such as 2020-01-01.*, which are no classes"),
        ("one", "regress", "'one' is 1 in all training examples: there is nothing to predict"),
    ):
        table.assign(one=1).to_parquet(path)
        drop = [it for it in ("size", "when", "one") if it != name]
        with pytest.raises(UserError, match=message):
            facts(Parquet(name="parquet", path=path, target=name, task=task, drop=drop), tmp_path)


def test_names_that_nearly_agree_and_rows_that_repeat_are_noted(tmp_path):
    table = frame(sex=["Male", "male ", "F"] * (ROWS // 3))
    table["kind"] = np.array(["Yes", "no", "yes"])[np.arange(ROWS) % 3]
    notes = " ".join(typed(tmp_path, table)[1].notes)
    assert "words of column 'sex': 'Male', 'male' are several" in notes
    assert "classes 'Yes', 'yes' are several" in notes
    assert "rows that repeat another: " in notes


def test_numbers_as_classes_are_noted(tmp_path):
    lines = ["x,kind", *(f"{n},{n % 7}" for n in range(ROWS))]
    found = facts(written(tmp_path, lines), tmp_path)
    assert found.classes == tuple("0123456")
    assert "the 7 numbers in 'kind' are classes, without an order" in " ".join(found.notes)


@pytest.mark.parametrize("dtype", ["float64", "Float64"])
def test_classes_that_are_floats_are_called_as_people_write_them(tmp_path, dtype):
    path = str(tmp_path / "table.parquet")
    numbers = pandas.array([0.0, 1.0, 0.1] * (ROWS // 3), dtype=dtype)
    frame(x=numbers).to_parquet(path)
    assert facts(Parquet(name="parquet", path=path, target="x"), tmp_path).classes == (
        "0",
        "0.1",
        "1",
    )


def test_what_is_dropped_may_be_of_any_type(tmp_path):
    path = str(tmp_path / "table.parquet")
    frame(x=[[1.0, 2.0]] * ROWS).to_parquet(path)
    source = Parquet(name="parquet", path=path, target="kind", drop=["x"])
    assert facts(source, tmp_path).raw[1].type == "other"


def test_targets_that_are_all_different_are_not_said_by_every_column(tmp_path):
    path = str(tmp_path / "table.parquet")
    table = frame(x=np.arange(ROWS) ** 2, y=np.arange(ROWS) * 1.5)
    table.to_parquet(path)
    source = Parquet(name="parquet", path=path, target="y", task="regress")
    assert not [it for it in facts(source, tmp_path).notes if "says all" in it]
