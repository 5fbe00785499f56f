"""CSV files of time series as users have them."""

import pandas as pd
import pytest

from tests.support.unusual_data import Case, check

SMALL = {"window": 6, "horizon": 2, "season": 3}


def series(rows, header="day,a,b", **options):
    """What writes a file of these rows."""

    def make(folder):
        (folder / "my.csv").write_text("\n".join([header, *rows]) + "\n")
        return {"name": "series", "path": str(folder / "my.csv"), **SMALL, **options}

    return make


def days(count=100, **changed):
    """Rows of days, some of which are replaced by number."""
    rows = [f"2024-{1 + n // 28:02}-{1 + n % 28:02},{n},{n * 2}.5" for n in range(count)]
    for number, row in changed.items():
        rows[int(number[1:])] = row
    return rows


def numbered(count=100, **changed):
    rows = [f"{n},{n % 7},{n * 2}.5" for n in range(count)]
    for number, row in changed.items():
        rows[int(number[1:])] = row
    return rows


def dated(step, **of_times):
    """Rows at equal steps of pandas' calendar."""
    days = pd.date_range("2024-03-30", periods=100, freq=step, **of_times)
    return series([f"{day.isoformat()},{n % 7},{n}.5" for n, day in enumerate(days)], time="day")


def refused(what, make, seen):
    return Case(what, make, "submission", seen)


def trains(what, make, seen=""):
    return Case(what, make, "trains", seen)


CASES = [
    refused("a file that is not there", lambda it: {"name": "series", "path": "x"}, "there is no"),
    refused("an empty file", series([], header=""), "data.path: …my.csv"),
    refused("a header alone", series([], columns=["a"]), "data.path: …my.csv"),
    refused("a column that is not there", series(numbered(), columns=["c"]), "data.columns: …'c'"),
    refused("times that are not there", series(numbered(), time="date"), "data.time: …'date'"),
    refused(
        "times as a series", series(numbered(), time="day", columns=["day"]), "the column of times"
    ),
    refused("a gap", series(numbered(r4="4,,1.5"), time="day"), "gaps in 'a': row 5"),
    refused("words", series(numbered(r3="3,down,1.5"), time="day"), "my.csv"),
    refused("dates as a series", series(days(28)), "no numbers in 'day': row 1 after"),
    refused(
        "a row that is missing",
        series([it for n, it in enumerate(numbered()) if n != 50], time="day"),
        "'day' has steps that are not as the others, 1: row 51",
    ),
    refused(
        "rows in no order",
        series(numbered(r9="5,1,2.5"), time="day"),
        "'day' goes backwards, or stands: row 10",
    ),
    refused("a time twice", series(numbered(r9="8,1,2.5"), time="day"), "or stands: row 10"),
    refused("a time that is none", series(days(28, r3="soon,3,1.5"), time="day"), "no times in"),
    refused(
        "a day that is missing in spring",
        series([it for n, it in enumerate(days(28)) if n != 9], time="day"),
        "'day' has steps that are not as the others, 1 days 00:00:00: row 10",
    ),
    refused(
        "series below each other",
        series([*numbered(50), *numbered(50)], time="day"),
        "goes backwards, or stands: row 51…pivot",
    ),
    refused(
        "times in an index without a name",
        series(days(28), header=",a,b"),
        "column 1 has no name",
    ),
    refused(
        "numbers beyond floats", series(numbered(r4="4,1e300,1.5")), "too large for floats: row 5"
    ),
    refused(
        "a constant series",
        series([f"{n},1,2.5" for n in range(100)], time="day"),
        "nothing to learn from: a, b never changes",
    ),
    refused("too few steps", series(numbered(10), time="day"), "10 steps are too few: the"),
    refused(
        "columns for the EEG", lambda _: {"name": "series", "columns": ["a"]}, "that is shipped"
    ),
    trains("numbers as times", series(numbered(), time="day")),
    trains("days", series(days(28), time="day", window=4, test=0.3, validation=0.2)),
    trains(
        "no times", series(numbered(), columns=["a"]), "the rows are taken to be at equal steps"
    ),
    trains("one series of several", series(numbered(), time="day", columns=["b"])),
    trains("calendar months", dated("MS"), "the steps of 'day' are of the calendar: a month"),
    trains("the ends of quarters", dated("QE"), "are of the calendar: a quarter"),
    trains("trading days", dated("B"), "of the calendar: a day from Monday to Friday"),
    trains("times with an offset, which changes in spring", dated("h", tz="Europe/Berlin")),
    trains(
        "a constant series beside others",
        series([f"{n},1,{n % 7}.5" for n in range(100)], time="day"),
        "series that never change: a",
    ),
    trains(
        "an index that pandas has written",
        series([f"{n},{n % 7},1.5" for n in range(100)], header=",a,b"),
        "a column without a name numbers the rows, and is left out",
    ),
    trains(
        "lines above the names of columns, with `data.skiprows`",
        series(numbered(), header="Station 7\nday,a,b", time="day", skiprows=1),
    ),
    trains(
        "semicolons and decimal commas",
        series([f"{n};{n % 7};{n},5" for n in range(100)], header="day;a;b", time="day"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_unusual_series_are_refused_with_their_rows_or_read(case, tmp_path):
    check(case, tmp_path)
