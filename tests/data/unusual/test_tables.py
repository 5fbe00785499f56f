"""Tables as users have them: Parquet files, and columns of every kind."""

import datetime
import decimal

import numpy as np
import pandas
import pyarrow
import pyarrow.parquet
import pytest

from tests.support.unusual_data import Case, check

ROWS = 60
NUMBER = np.arange(ROWS)
KIND = np.where(NUMBER * 7 % 60 > 30, "a", "b")


def table(test=None, **columns):
    """Return what writes a table of columns `a`, `kind` and more, which is to tell `kind`.

    Names in capitals are options. `test` has columns of a test file in place of others; None leaves
    one out.
    """
    options = {key.lower(): value for key, value in columns.items() if key.isupper()}
    given = {key: value for key, value in columns.items() if not key.isupper()}
    every = {"a": NUMBER % 7, **given, "kind": KIND}

    def make(folder):
        _write(every, folder / "table.parquet")
        found = {"name": "parquet", "path": str(folder / "table.parquet"), "target": "kind"}
        if test is not None:
            other = {key: value for key, value in {**every, **test}.items() if value is not None}
            _write(other, folder / "test.parquet")
            found["test_path"] = str(folder / "test.parquet")
        return {**found, **options}

    return make


def _write(columns, path):
    every = {
        name: it if isinstance(it, pyarrow.Array) else pyarrow.Array.from_pandas(it)
        for name, it in columns.items()
    }
    pyarrow.parquet.write_table(pyarrow.table(every), path)


def frame(made, **options):
    """Return what writes a frame of pandas, with its index."""

    def make(folder):
        made.to_parquet(folder / "table.parquet")
        return {"name": "parquet", "path": str(folder / "table.parquet"), **options}

    return make


def content(text):
    """Return what writes a file that is no Parquet."""

    def make(folder):
        (folder / "table.parquet").write_bytes(text)
        return {"name": "parquet", "path": str(folder / "table.parquet"), "target": "kind"}

    return make


def cut(folder):
    options = table()(folder)
    file = folder / "table.parquet"
    file.write_bytes(file.read_bytes()[:-40])
    return options


def repeated(folder):
    columns = [pyarrow.array(it) for it in (NUMBER, HALVES, KIND)]
    file = str(folder / "table.parquet")
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(columns, ["a", "a", "kind"]), file)
    return {"name": "parquet", "path": file, "target": "kind"}


def digits(folder):
    lines = ["x,kind", f"1{400 * '0'},a", *(f"{n},{'ab'[n % 2]}" for n in NUMBER)]
    (folder / "table.csv").write_text("\n".join(lines))
    return {"name": "csv", "path": str(folder / "table.csv"), "target": "kind"}


def several_times(value, count=ROWS):
    return [value] * count


def with_gaps(values, *places):
    found = list(values)
    for place in places:
        found[place] = None
    return found


DAYS = pyarrow.array(
    pandas.date_range("2020-01-01", periods=ROWS), pyarrow.timestamp("us", "Europe/Berlin")
)
HALVES = NUMBER / 2
WINDOWS_ZONE = "W. Europe Standard Time"
ENCRYPTED = b"PARE" + bytes(50) + b"\x10\0\0\0PARE"
NOTHING = pandas.DataFrame({"a": [], "kind": []})
GAPS = {"size": with_gaps(HALVES, 3, 5, 7), "colour": with_gaps(["red", "blue"] * 30, 4)}
REFUSED, TRAINS = "submission", "trains"


def folder(*parts, others=()):
    """Return what writes a folder of Parquet files, and what else is in it."""

    def make(place):
        for number, columns in enumerate(parts):
            part = place / "rows" / f"year={2020 + number}" / f"part-{number}.parquet"
            part.parent.mkdir(parents=True)
            _write(columns, part)
        for other in others:
            (place / "rows" / other).parent.mkdir(parents=True, exist_ok=True)
            (place / "rows" / other).write_bytes(b"no rows")
        return {"name": "parquet", "path": str(place / "rows"), "target": "kind"}

    return make


def hugging_face(place):
    names = ("train-00000-of-00001", "test-00000-of-00001")
    (place / "rows").mkdir()
    for name in names:
        _write(half(), place / "rows" / f"{name}.parquet")
    return {"name": "parquet", "path": str(place / "rows"), "target": "kind"}


def half(**columns):
    return {"a": NUMBER[:30] % 7, "kind": KIND[15:45], **columns}


SPARK = ("_SUCCESS", "_metadata", "year=2020/.part-0.parquet.crc")
FOLDERS = [
    Case(
        "a folder of Spark or Hive",
        folder(half(), half(), others=SPARK),
        TRAINS,
        "rows has 2 Parquet files, read in the order of names",
    ),
    Case("a folder with an empty part", folder(half(), half(a=[], kind=[])), TRAINS),
    Case(
        "a folder of which one part has a column without any value",
        folder(half(x=pyarrow.nulls(30)), half(x=["u", "v"] * 15)),
        TRAINS,
        "gaps: 30 in 'x'",
    ),
    Case(
        "a folder whose parts have other columns",
        folder(half(), half(b=NUMBER[:30]), half(a=HALVES[:30])),
        REFUSED,
        "data.path: …rows: files with other columns than part-0.parquet: part-1.parquet has 'b' "
        "besides, part-2.parquet has 'a' as double",
    ),
    Case(
        "a folder with files that are no Parquet",
        folder(half(), half(), others=["README.md"]),
        TRAINS,
        "rows has 2 Parquet files",
    ),
    Case(
        "a folder of Hugging Face, of training and test",
        hugging_face,
        REFUSED,
        "data.path: …rows has files of several splits: test, train…data.test_path the others",
    ),
    Case(
        "a folder with a damaged part",
        folder(half(), others=["part-9.parquet"]),
        REFUSED,
        "data.path: …part-9.parquet is no readable parquet",
    ),
    Case(
        "a folder with nothing in it",
        folder(others=SPARK[:2]),
        REFUSED,
        "data.path: …rows has no Parquet file in it",
    ),
    Case(
        "a Delta table",
        folder(half(), others=["_delta_log/00000.json"]),
        REFUSED,
        "is a Delta table, whose files are of several versions",
    ),
    Case(
        "columns of the same name",
        repeated,
        REFUSED,
        "data.path: …table.parquet has several columns 'a'",
    ),
]
FILES = [
    Case("a file that is cut off", cut, REFUSED, "data.path: …table.parquet is no readable parq"),
    Case("an empty file", content(b""), REFUSED, "is no readable parquet: … 0 bytes"),
    Case(
        "a CSV file called .parquet",
        content(b"a,kind\n1,x\n"),
        REFUSED,
        "is no Parquet file…data.name: csv",
    ),
    Case("a file of marks alone", content(b"PAR1PAR1"), REFUSED, "is no readable parquet"),
    Case(
        "no rows", frame(pandas.DataFrame({"a": [], "kind": []}), target="kind"), REFUSED, "no rows"
    ),
]
NAMES = [
    Case(
        "columns called 0 and 1",
        frame(pandas.DataFrame({0: NUMBER % 7, 1: KIND}), target="1"),
        TRAINS,
    ),
    Case(
        "columns of several levels",
        frame(pandas.DataFrame({("a", "x"): NUMBER % 7, ("b", "y"): KIND}), target="('b', 'y')"),
        TRAINS,
    ),
    Case("no target", table(TARGET=[]), REFUSED, "data.target: names no column"),
    Case(
        "a target named twice",
        table(x=NUMBER, TARGET=["x", "x"], TASK="regress"),
        REFUSED,
        "data.target: 'x' is named several times",
    ),
    Case(
        "columns that are not there",
        table(DROP=["b", "c"]),
        REFUSED,
        "data.drop: …has no column 'b', 'c'…It has: a, kind.",
    ),
    Case("nothing but the target", table(DROP=["a"]), REFUSED, "has no column beside the"),
    Case(
        "a column of groups that is dropped",
        table(g=NUMBER // 6, GROUPS="g", DROP=["g"]),
        REFUSED,
        "data.drop: 'g' is named in data.groups, too",
    ),
    Case(
        "names of rows that repeat",
        table(name=["x", "y"] * 30, INDEX="name"),
        REFUSED,
        "data.path: …column 'name' (data.index) gives several rows the same name: 'x' (30 rows)",
    ),
]
TYPES = [
    Case(
        "lists, structs and bytes",
        table(x=several_times([1.0]), y=several_times({"p": 1}), z=several_times(b"q")),
        REFUSED,
        "neither numbers nor words: column 'x' is of lists, such as [1.]…'y' is of structs…'z' is "
        "of bytes",
    ),
    Case("lists that are dropped", table(x=several_times([1.0]), DROP=["x"]), TRAINS),
    Case("classes that are bytes", table(x=[b"p", b"q"] * 30, TARGET="x"), REFUSED, "is of bytes"),
    Case("decimals", table(x=[decimal.Decimal("1.5") + n for n in range(ROWS)]), TRAINS),
    Case(
        "categories of pandas of which some are not there",
        table(x=pandas.Categorical(["p", "q"] * 30, categories=["p", "q", "r"])),
        TRAINS,
    ),
    Case(
        "integers with gaps",
        table(x=pandas.array([1, None, 3] * 20, dtype="Int64")),
        TRAINS,
        "gaps: 20 in 'x'; each of these columns has another beside it",
    ),
    Case("true, false and gaps", table(x=pandas.array([True, None] * 30)), TRAINS, "30 in 'x'"),
    Case("float16", table(x=pyarrow.array(HALVES.astype("float16"))), TRAINS),
    Case(
        "dictionaries of Arrow", table(x=pyarrow.array(["u", "v"] * 30).dictionary_encode()), TRAINS
    ),
    Case(
        "uint64 beyond 2⁵³",
        table(x=np.uint64(2**63) + NUMBER.astype(np.uint64)),
        REFUSED,
        "column 'x' has what floats cannot hold: 9223372036854775809 (row 2",
    ),
    Case(
        "columns without any value",
        table(x=pyarrow.nulls(ROWS), y=several_times(np.nan)),
        REFUSED,
        "without any value: column 'x', column 'y'",
    ),
    Case(
        "infinite numbers",
        table(x=with_gaps([np.inf, 1.0] * 30, 4)),
        REFUSED,
        "column 'x' is not finite: inf (29 rows, the first is row 1)",
    ),
    Case("numbers as text", table(x=list(map(str, HALVES))), REFUSED, "'x' has numbers as text"),
    Case(
        "words among numbers",
        table(x=["12", "13", "unknown"] * 20),
        REFUSED,
        "column 'x' is of numbers, but also of words: 'unknown' (20 rows, the first is row 3",
    ),
    Case(
        "numbers among words",
        table(x=["3", "none", "many"] * 20),
        TRAINS,
        "column 'x' is of categories, some of which are numbers: '3', 'many', 'none'",
    ),
    Case(
        "names and free text",
        table(x=[f"name {n}" for n in NUMBER], y=[f"text {n}" for n in NUMBER]),
        REFUSED,
        "hardly categories: column 'x' has 60 different words: … column 'y' has 60 …data.drop",
    ),
    Case(
        "whole numbers that are ids",
        table(x=NUMBER * 17 % 101 + 5000),
        TRAINS,
        "column 'x' is another whole number in each row: is it a name (data.index)?",
    ),
    Case(
        "spans of time",
        table(x=pandas.to_timedelta(NUMBER, unit="h")),
        REFUSED,
        "column 'x' is of spans of time, such as 0 days …pandas.Timedelta(days=1)",
    ),
    Case(
        "times of the day",
        table(x=several_times(datetime.time(3))),
        REFUSED,
        "column 'x' is of times of the day, such as 03:00:00",
    ),
]
BANDS = ["30-39", "40-49", "50-59", "40-49"] * 15
CATEGORIES = [
    Case(
        "bands of age, as in UCI's breast cancer",
        table(x=BANDS),
        REFUSED,
        "numbers with units, dates or such…'30-39'…data.categories: bands and codes as words",
    ),
    Case("bands of age as categories", table(x=BANDS, CATEGORIES=["x"]), TRAINS),
    Case("years as categories", table(x=[2019, 2020] * 30, CATEGORIES=["x"]), TRAINS),
    Case(
        "a target among the categories",
        table(x=BANDS, CATEGORIES=["kind"]),
        REFUSED,
        "data.categories: 'kind' is no input of words: it is the target column",
    ),
]
DATES = [
    Case(
        "dates",
        table(x=DAYS),
        REFUSED,
        "column 'x' is of dates, such as 2020-01-01…data.dates makes numbers of dates",
    ),
    Case(
        "dates of a time zone as numbers",
        table(x=DAYS, DATES=["x"]),
        TRAINS,
        "column 'x' is the days since 1970-01-01",
    ),
    Case(
        "dates of a time zone as Windows calls it",
        table(
            x=pyarrow.array(NUMBER, pyarrow.timestamp("s", "W. Europe Standard Time")), DATES=["x"]
        ),
        TRAINS,
        "column 'x' is the days since 1970-01-01",
    ),
    Case(
        "milliseconds that are held as seconds",
        table(x=pyarrow.array(NUMBER + 2**60, pyarrow.timestamp("ms")), DATES=["x"]),
        REFUSED,
        "column 'x' is no date as ISO8601: 36536598-",
    ),
    Case(
        "an integer of 400 digits",
        digits,
        REFUSED,
        "column 'x' is not finite: 1000000000000000000000000000000000000000… (row 1",
    ),
    Case(
        "dates without a time of the day, as numbers",
        table(x=[datetime.date(2020, 1, 1 + n % 28) for n in NUMBER], DATES=["x"]),
        TRAINS,
        "days since 1970-01-01",
    ),
    Case(
        "dates as text, the day before the month",
        table(x=[f"{n % 28 + 1:02}/03/2021" for n in NUMBER], DATES=["x"]),
        TRAINS,
        "days since 1970-01-01, read as %d/%m/%Y",
    ),
    Case(
        "dates as text that can be read in two ways",
        table(x=[f"{n % 12 + 1:02}/03/2021" for n in NUMBER], DATES=["x"]),
        REFUSED,
        "column 'x' has dates with two readings, %d/%m/%Y and %m/%d/%Y: '01/03/2021', …"
        "data.dates: {x: '%d/%m/%Y'}",
    ),
    Case(
        "text that is no date",
        table(x=["2021-03-04", "2021-02-30", "soon"] * 20, DATES=["x"]),
        REFUSED,
        "column 'x' is no date as ISO8601: '2021-02-30' (20 rows, the first is row 2), "
        "'soon' (20 rows",
    ),
    Case(
        "whole numbers as dates",
        table(x=20210301 + NUMBER % 28, DATES=["x"]),
        TRAINS,
        "read as ISO8601",
    ),
    Case(
        "dates as classes", table(x=DAYS, TARGET="x"), REFUSED, "'x' is of dates, such as 2020-01-0"
    ),
]
MISSING = [
    Case(
        "gaps, where none may be there",
        table(**GAPS, MISSING="refuse"),
        REFUSED,
        "2 faults…column 'size', an input, has 3 gaps: row 4, row 6, row 8"
        "…column 'colour', an input, has 1 gap: row 5",
    ),
    Case(
        "rows with gaps that are left out",
        table(**GAPS, MISSING="drop"),
        TRAINS,
        "4 of 60 rows are left out for their gaps: 3 in 'size', 1 in 'colour'",
    ),
    Case(
        "gaps that are filled in",
        table(**GAPS, MISSING="median"),
        TRAINS,
        "gaps: 3 in 'size', 1 in 'colour'; filled with the median of the training rows",
    ),
    Case(
        "gaps of numbers as a category",
        table(**GAPS, MISSING="category"),
        REFUSED,
        "gaps are a category of words, but there are some among numbers: 3 in column 'size'",
    ),
    Case(
        "targets that are missing",
        table(x=with_gaps(HALVES, 3, 5, 7, 9), TARGET="x", TASK="regress"),
        REFUSED,
        "column 'x', a target, has 4 gaps: row 4, row 6, row 8 and 1 more…"
        "data.missing: drop leaves such rows out",
    ),
    Case(
        "targets that are missing, in rows that are left out",
        table(x=with_gaps(HALVES, 3, 5), TARGET="x", TASK="regress", MISSING="drop"),
        TRAINS,
        "2 of 60 rows are left out for their gaps: 2 in 'x'",
    ),
]
TARGETS = [
    Case("classes 0.0 and 1.0", table(x=NUMBER % 2 / 1.0, TARGET="x"), TRAINS),
    Case(
        "classes that are integers beyond 2⁵³, some of which are missing",
        table(x=pyarrow.array([None, 2**53 + 1, 2**53 + 2] * 20), TARGET="x", MISSING="drop"),
        REFUSED,
        "data.target: 'x' has numbers too long to be read beside gaps, such as 9007199",
    ),
    Case(
        "one-hot columns as a target",
        table(x=NUMBER % 2, y=1 - NUMBER % 2, TARGET=["x", "y"]),
        REFUSED,
        "data.target: an example has one class, in one column…idxmax",
    ),
    Case(
        "words, where numbers are to be predicted",
        table(TASK="regress"),
        REFUSED,
        "words, where numbers are to be predicted: column 'kind' has 2 different ones…"
        "data.task: classify",
    ),
    Case(
        "numbers, where classes are to be predicted",
        table(x=HALVES, TARGET="x"),
        REFUSED,
        "'x' has 60 different values, such as 0.5: hardly classes…data.task: regress",
    ),
    Case(
        "whole numbers, where classes are to be predicted",
        table(x=NUMBER % 25, TARGET="x"),
        REFUSED,
        "data.target: 'x' has 25 values in 60 rows: hardly classes…data.task: regress",
    ),
    Case(
        "classes that differ in case and blanks",
        table(x=["Yes", "no", "yes "] * 20, TARGET="x"),
        TRAINS,
        "classes 'Yes', 'yes' are several",
    ),
]
TEST = [
    Case(
        "a test file with columns in another order",
        table({"a": None, "kind": KIND, " a": NUMBER % 7}),
        TRAINS,
    ),
    Case(
        "a test file without some columns",
        table({"x": None, "y": None}, x=HALVES, y=HALVES + NUMBER % 3),
        REFUSED,
        "data.test_path: …test.parquet has no column 'x', 'y'",
    ),
    Case(
        "a test file without the truth",
        table({"kind": None}),
        REFUSED,
        "data.test_path: …has no column 'kind'…hpcdl predict",
    ),
    Case(
        "a test file of rows that are trained on",
        table({"a": NUMBER / 1.0}, a=NUMBER),
        TRAINS,
        "rows of the test file that are rows to train on, too: 60 of 60",
    ),
    Case(
        "a test file with dates of another format",
        table(
            {"x": [f"2021-03-{n % 28 + 1:02}" for n in NUMBER]},
            x=[f"{n % 28 + 1:02}.03.2021" for n in NUMBER],
            DATES=["x"],
        ),
        REFUSED,
        "data.test_path: …no date as %d.%m.%Y: '2021-03-01'…written as in the rows that were train",
    ),
    Case(
        "a test file with more columns",
        table({"z": NUMBER}),
        TRAINS,
        "in the test file columns that are not trained on are left out: 'z'",
    ),
    Case(
        "a test file of other types",
        table({"x": ["1", "two"] * 30, "y": [f"{n}" for n in NUMBER]}, x=HALVES, y=["u", "v"] * 30),
        REFUSED,
        "data.test_path: …2 faults…column 'x' has to be a number: 'two' (30 rows, the first is row "
        "2)…column 'y' has words that no row to train on has: '0' (row 1), …and 57 more",
    ),
    Case(
        "a test file with classes that are not trained on",
        table({"kind": ["a", "b", "c", "d"] * 15}),
        REFUSED,
        "data.test_path: …classes in 'kind' that no row to train on has: 'c' (15 rows), 'd' (15 ro",
    ),
]
CASES = [*FILES, *FOLDERS, *NAMES, *TYPES, *CATEGORIES, *DATES, *MISSING, *TARGETS, *TEST]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
