"""CSV files as users have them."""

import pytest

from tests.support.unusual_data import Case, check

ROWS = 60
COMMON = {"name": "csv", "target": "kind"}


def kind(n):
    return "ab"[n * 7 % 60 > 30]


def rows(line, count=ROWS):
    """Lines of a table, as `line` writes the row with a number."""
    return [line(n) for n in range(count)]


def plain(n):
    return f"{n % 7},{n / 2},{kind(n)}"


TABLE = ["length,price,kind", *rows(plain)]


def text(*lines, encoding="utf-8", end="\n", name="t.csv", **options):
    """Return what writes lines, and the options that read them."""

    def make(folder):
        (folder / name).write_bytes("".join(it + end for it in lines).encode(encoding))
        return {**COMMON, "path": str(folder / name), **options}

    return make


IRIS = rows(
    lambda n: f"{4.5 + n % 9 / 10:.1f},{n * 7 % 13 / 4:.1f},{n * 5 % 11 / 5:.1f},{kind(n)}", 40
)
"""As UCI has them: without a row of names."""
CAR = rows(
    lambda n: (
        f"{['vhigh', 'high', 'low'][n % 3]},{2 + n // 3 % 3},{['small', 'big'][n % 2]},{kind(n)}"
    )
)
MPG = rows(lambda n: f'{15 + n % 20 / 2:.1f}   {300 - n:.1f}      {n or "?"}\t"{kind(n)} wagon"')
R = ['"mpg" "gears" "kind"', *rows(lambda n: f'"{n + 1}" {20 + n % 9 / 4} {n % 3 + 3} "{kind(n)}"')]

DIALECTS = [
    Case(
        "semicolons and decimal commas, as a German Excel writes",
        text("länge;price;kind", *rows(lambda n: f"{n},5;{n * 7 % 9};{kind(n)}")),
        "trains",
        "columns are separated by semicolons\nnumbers have a decimal comma",
    ),
    Case(
        "a first line `sep=;` for Excel",
        text("sep=;", *[it.replace(",", ";") for it in TABLE]),
        "trains",
        "columns are separated by semicolons",
    ),
    Case("tabs", text(*[it.replace(",", "\t") for it in TABLE]), "trains", "by tabs"),
    Case("pipes", text(*[it.replace(",", "|") for it in TABLE]), "trains", "by '|'"),
    Case(
        "two signs that may separate columns",
        text("x;y,kind", *["1;2,a", "2;3,b"] * 9),
        "submission",
        "the columns are separated by commas or semicolons…data.sep says by which",
    ),
    Case(
        "another sign between columns",
        text(*[it.replace(",", "^") for it in TABLE]),
        "submission",
        "the columns are separated by no known separator…data.sep says by which",
    ),
    Case(
        "another sign between columns, with `data.sep`",
        text(*[it.replace(",", "^") for it in TABLE], sep="^"),
        "trains",
        "columns are separated by '^'",
    ),
    Case(
        "a separator that is not in the file",
        text(*TABLE, sep=";"),
        "submission",
        "data.path: …no row has the separator ';'\nIts first row is 'length,price,kind'.",
    ),
    Case("one column", text("kind", *rows(kind)), "submission", "has no column beside the target"),
    Case(
        "blanks between columns, words in quotes and no names, as UCI's auto-mpg.data",
        text(*MPG, header=False, target="c3"),
        "submission",
        "the columns are separated by tabs or blanks…data.sep says by which",
    ),
    Case(
        "the same, with `data.sep: whitespace` and `data.na_values`",
        text(*MPG, header=False, target="c3", sep="whitespace", na_values=["?"]),
        "trains",
        "columns are separated by blanks\n'?' is read as a gap in column 'c2'",
    ),
    Case(
        "write.table of R: a name of each row, which the header does not name",
        text(*R),
        "trains",
        "columns are separated by blanks\na column without a name numbers the rows",
    ),
    Case(
        "an index that pandas has written",
        text(",length,price,kind", *rows(lambda n: f"{n},{plain(n)}")),
        "trains",
        "a column without a name numbers the rows, and is left out",
    ),
    Case(
        "an index that pandas has written several times",
        text(
            ",Unnamed: 0.1,Unnamed: 0,length,price,kind", *rows(lambda n: f"{n},{n},{n},{plain(n)}")
        ),
        "trains",
        "a column without a name numbers the rows…a column without a name numbers the rows",
    ),
    Case(
        "a separator at the end of the header alone",
        text(f"{TABLE[0]},", *TABLE[1:]),
        "trains",
    ),
    Case(
        "separators at the end of all rows, as Excel writes for empty columns",
        text(*[f"{it},," for it in TABLE]),
        "trains",
        "a column without a name is empty, and is left out",
    ),
    Case(
        "separators at the end of all rows but the header",
        text(TABLE[0], *[f"{it}," for it in TABLE[1:]]),
        "trains",
        "a column without a name is empty, and is left out",
    ),
    Case(
        "rows without any value at the end, as Excel writes",
        text(*TABLE, ",,", ",,"),
        "trains",
        "rows without any value at the end are left out: 2",
    ),
    Case("blank lines", text("", TABLE[0], "", *TABLE[1:20], "   ", *TABLE[20:], "", ""), "trains"),
    Case("lines that end as on an old Mac", text(*TABLE, end="\r"), "trains"),
    Case(
        "remarks above the table",
        text("# made by the logger, v1.2", "# 2021, spring", "#", *TABLE),
        "trains",
        "remarks above the table are left out: 3 lines",
    ),
    Case(
        "remarks between the rows",
        text(*TABLE[:9], "# the logger was moved", *TABLE[9:]),
        "submission",
        "rows of 1 fields in place of 3: row 9 after the header (line 10)…data.comment names",
    ),
    Case(
        "remarks between the rows, with `data.comment`",
        text(*TABLE[:9], "# the logger was moved", *TABLE[9:], comment="#"),
        "trains",
    ),
    Case(
        "a header that begins with a remark's sign, as numpy.savetxt writes",
        text("# length,price,kind", *TABLE[1:]),
        "trains",
    ),
    Case(
        "a title above the table",
        text("Sales of 2021", "", *TABLE),
        "submission",
        "no known separator",
    ),
    Case(
        "a title above the table, with `data.skiprows`",
        text("Sales of 2021", "", *TABLE, skiprows=2),
        "trains",
    ),
    Case(
        "100 columns",
        text(
            ",".join([*(f"gene{n}" for n in range(100)), "kind"]),
            *rows(lambda n: "0.5," * 99 + f"{n},{kind(n)}", 30),
        ),
        "trains",
    ),
]

HEADERS = [
    Case(
        "no names of columns, as UCI's iris.data",
        text(*IRIS),
        "submission",
        "its first row looks like values, not like names of columns: '4.5', …data.header: false",
    ),
    Case(
        "no names of columns, and words alone, as UCI's car.data",
        text(*CAR),
        "submission",
        "its first row looks like values, not like names of columns: 'vhigh', '2', 'small', …",
    ),
    Case(
        "no names of columns, with `data.header: false`",
        text(*IRIS, header=False, target="c3"),
        "trains",
    ),
    Case(
        "no names of columns, with `data.header: false` and a wrong target",
        text(*IRIS, header=False),
        "submission",
        "data.target: …has no column 'kind'…It has: c0, c1, c2, c3.",
    ),
    Case(
        "no names of columns, with `data.names`",
        text(*IRIS, names=["sepal", "petal", "width", "kind"]),
        "trains",
    ),
    Case(
        "too few `data.names`",
        text(*IRIS, names=["sepal", "kind"]),
        "submission",
        "data.names has 2 names, and rows of …t.csv have 4 fields",
    ),
    Case(
        "names of columns that `data.names` repeats",
        text(*TABLE, names=["length", "price", "kind"]),
        "submission",
        "its first row looks like names of columns: 'length', 'price'…data.header: true",
    ),
    Case(
        "years as names of columns",
        text("2019,2020,2021,kind", *rows(lambda n: f"{n},{n % 9},{n % 7},{kind(n)}")),
        "trains",
    ),
    Case(
        "numbers as names of columns, as pandas writes",
        text("0,1,2,kind", *rows(lambda n: f"{n},{n % 4},{n % 5},{kind(n)}")),
        "trains",
    ),
    Case(
        "numbers as names of columns, with `data.header: true`",
        text("4.5,0.2,kind", *rows(plain), header=True),
        "trains",
    ),
    Case(
        "names that several columns have",
        text("x,y,x,y,kind", *rows(lambda n: f"1,{n},3,4,{kind(n)}")),
        "submission",
        "has 2 columns 'x', 2 columns 'y'",
    ),
    Case(
        "a column without a name that does not number the rows",
        text("length,,kind", *rows(plain)),
        "submission",
        "column 2 has no name",
    ),
    Case(
        "names with line ends and blanks in them",
        text('"length\n(cm)", price ,kind', *rows(plain)),
        "trains",
    ),
    Case(
        "a row of units below the header",
        text(TABLE[0], "cm,EUR,", *TABLE[1:]),
        "submission",
        "row 1 after the header",
    ),
    Case(
        "a sum in the last row",
        text(
            "city,price,kind",
            *rows(lambda n: f"{['Rome', 'Oslo'][n % 2]},{n},{kind(n)}"),
            "Total,1770,a",
        ),
        "trains",
        "the last row begins with 'Total': is it one like the others?",
    ),
    Case(
        "years as names beside others, below lines of a title, as the World Bank has them",
        text("Source,WDI,", "", "land,2019,2020,kind", *rows(lambda n: f"L{n % 9},{plain(n)}")),
        "submission",
        "its rows have 4 fields, and its first row has 3 names…data.skiprows leaves out lines",
    ),
    Case(
        "the same, with `data.skiprows`",
        text(
            *["Source,WDI,", "", "land,2019,2020,kind"],
            *rows(lambda n: f"L{n % 9},{plain(n)}"),
            skiprows=2,
        ),
        "trains",
    ),
    Case(
        "files with headers that were put together",
        text(*TABLE, *TABLE),
        "submission",
        "its first row, of names of columns, stands there again below",
    ),
    Case("a header and no rows", text(TABLE[0]), "submission", "has no rows"),
]

CASES = [*DIALECTS, *HEADERS]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
