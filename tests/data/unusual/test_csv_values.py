"""Rows and values of CSV files as users have them."""

import pytest

from tests.data.unusual.test_csv import TABLE, kind, plain, rows, text
from tests.support.unusual_data import Case, check


def cells(column, **options):
    """Return what writes a table with a column `x` of the words that `column` gives by number."""
    return text("x,kind", *rows(lambda n: f"{column(n)},{kind(n)}"), **options)


FIELDS = [
    Case(
        "a text of more than 128 kB",
        text("note,x,kind", *rows(plain), f'"{"so, " * 40_000}",1,a', drop=["note"]),
        "trains",
    ),
    Case(
        "rows with too few and too many fields",
        text(*TABLE[:9], "5,a", *TABLE[9:20], "1,2,3,a", "1,2,3,b", *TABLE[20:]),
        "submission",
        "2 faults\n  rows of 2 fields in place of 3: row 9 after the header (line 10)\n"
        "  rows of 4 fields in place of 3: row 21 after the header (line 22), row 22…",
    ),
    Case(
        "a row with too few fields, where all end with a separator",
        text(*[f"{it}," for it in TABLE[:9]], "5,", *[f"{it}," for it in TABLE[9:]]),
        "submission",
        "rows of 2 fields in place of 4: row 9 after the header (line 10)",
    ),
    Case(
        "a row with too few fields, without names of columns",
        text(*TABLE[1:9], "5,7", *TABLE[9:], header=False, target="c2"),
        "submission",
        "rows of 2 fields in place of 3: row 9 (line 9)",
    ),
    Case(
        "a row with too few fields below line ends in quotes",
        text("note,price,kind", *rows(lambda n: f'"so\nlala",{n},{kind(n)}', 9), "x,a"),
        "submission",
        "rows of 2 fields in place of 3: row 10 after the header (line 20)",
    ),
    Case(
        "a text with commas and without quotes in all rows",
        text("id,note,kind", *rows(lambda n: f"{n},well, yes,{kind(n)}")),
        "submission",
        "its rows have 4 fields, and its first row has 3 names…needs quotes",
    ),
    Case(
        "more fields in all rows than names",
        text("x,kind", *["1,2,3,a", "2,2,3,b"] * 9),
        "submission",
        "its rows have 4 fields, and its first row has 2 names",
    ),
    Case(
        "a quotation without an end",
        text(*TABLE[:9], '5,"7,a', *TABLE[9:]),
        "submission",
        "a quotation that begins in line 10, or soon after it, has no end",
    ),
]

NUMBERS = [
    Case(
        "numbers that may have decimal commas or thousands separators",
        cells(lambda n: f'"{n + 1},250"'),
        "submission",
        "can be read with decimal commas, and with thousands separators: '1,250', '2,250', '3,250'"
        "\ndata.decimal says which",
    ),
    Case(
        "the same, with `data.decimal`",
        cells(lambda n: f'"{n + 1},250"', decimal="."),
        "trains",
        "',' stands between thousands in column 'x'",
    ),
    Case(
        "thousands by points, with `data.decimal`",
        text("x;kind", *rows(lambda n: f"{n + 1}.250;{kind(n)}"), decimal=","),
        "trains",
        "'.' stands between thousands in column 'x'",
    ),
    Case(
        "thousands by narrow blanks, as in France",
        text("x;kind", *rows(lambda n: f"{n + 1}\u202f250,5;{kind(n)}")),
        "trains",
        "'\\u202f' stands between thousands in column 'x'",
    ),
    Case(
        "thousands by apostrophes, as in Switzerland",
        cells(lambda n: f"{n + 1}'250.5"),
        "trains",
        "stands between thousands in column 'x'",
    ),
    Case(
        "thousands by blanks",
        cells(lambda n: f"{n + 1} 250.5"),
        "submission",
        "numbers with units, dates or such…data.thousands: ' '",
    ),
    Case(
        "thousands by blanks, with `data.thousands`",
        text("x;kind", *rows(lambda n: f"{n + 1} 250,5;{kind(n)}"), thousands=" "),
        "trains",
        "numbers have a decimal comma\n' ' stands between thousands in column 'x'",
    ),
    Case(
        "lakhs, with `data.thousands`",
        cells(lambda n: f'"{n + 1},00,000"', thousands=","),
        "trains",
        "',' stands between thousands in column 'x'",
    ),
    Case("powers of ten", cells(lambda n: f"{n}.5E-3"), "trains"),
    Case("per cent", cells(lambda n: f"{n}%"), "submission", "numbers with units, dates or such"),
    Case("currencies", cells(lambda n: f"€ {n}.50"), "submission", "numbers with units, dates"),
    Case(
        "infinity",
        cells(lambda n: "-inf" if n == 7 else n),
        "submission",
        "column 'x' is not finite: -inf (row 8 after the header)",
    ),
    Case(
        "integers beyond 2^53",
        cells(lambda n: 2**60 + n),
        "submission",
        "has what floats cannot hold",
    ),
    Case(
        "codes with zeros before them",
        cells(lambda n: f"0{n % 9}{n % 7}10"),
        "trains",
        "column 'x' has numbers with zeros before them, such as 00010, which are read as 10",
    ),
]

GAPS = [
    Case(
        "-999 for what was not measured",
        cells(lambda n: -999 if n % 9 == 4 else n),
        "trains",
        "the least number in column 'x' is -999: is it a gap (data.na_values)?",
    ),
    Case(
        "-999 for what was not measured, with `data.na_values`",
        cells(lambda n: -999 if n % 9 == 4 else n / 2, na_values=[-999]),
        "trains",
        "'-999' is read as a gap in column 'x'",
    ),
    Case(
        "NA as a class",
        text("x,kind", *rows(lambda n: f"{n},{['NA', 'EU'][n % 2]}")),
        "submission",
        "column 'kind', a target, has 30 gaps: row 1 …'NA' is read as a gap; not by "
        "data.keep_default_na: false.",
    ),
    Case(
        "NA among numbers",
        cells(lambda n: "NA" if n == 3 else n),
        "trains",
        "'NA' is read as a gap in column 'x'",
    ),
    Case(
        "NA among words",
        cells(lambda n: ["NA", "EU", "AS"][n % 3]),
        "trains",
        "'NA' is read as a gap in column 'x'",
    ),
    Case(
        "NA among words, with `data.keep_default_na: false`",
        cells(lambda n: ["NA", "EU", "AS"][n % 3], keep_default_na=False),
        "trains",
    ),
    Case(
        "empty fields, with `data.keep_default_na: false`",
        cells(lambda n: "" if n == 3 else n, keep_default_na=False),
        "trains",
        "gaps: 1 in 'x'",
    ),
    Case(
        "? among words, as in UCI's adult.data",
        cells(lambda n: [" ?", " Private", " State-gov"][n % 3]),
        "trains",
        "'?' in column 'x' is a word like others; data.na_values: ['?'] reads it as a gap",
    ),
    Case(
        "? among numbers",
        cells(lambda n: "?" if n % 9 == 4 else n),
        "submission",
        "column 'x' is of numbers, but also of words: '?' (7 rows, …data.na_values: ['?']",
    ),
    Case(
        "? among numbers, with `data.na_values`",
        cells(lambda n: "?" if n % 9 == 4 else n, na_values=["?"]),
        "trains",
        "'?' is read as a gap in column 'x'",
    ),
    Case(
        "errors of Excel among words",
        cells(lambda n: ["#REF!", "EU", "AS"][n % 3]),
        "trains",
        "'#REF!' in column 'x' is a word like others; data.na_values: ['#REF!'] reads it as a gap",
    ),
    Case(
        "classes that `data.na_values` names",
        text("x,kind", *rows(lambda n: f"{n},{n % 2}"), na_values=[0]),
        "submission",
        "column 'kind', a target, has 30 gaps: row 1 …data.missing: drop leaves such rows out.",
    ),
    Case(
        "dates of which some are 0, as MySQL writes gaps",
        cells(lambda n: f"2021-03-{n % 28 + 1:02}" if n % 7 else "0000-00-00", dates=["x"]),
        "submission",
        "column 'x' is no date as ISO8601: '0000-00-00' (9 rows, …data.na_values: ['0000-00-00']",
    ),
    Case(
        "words of other kinds for true and false",
        cells(lambda n: ["TRUE", "yes", "0", "no", "1"][n % 5]),
        "trains",
        "column 'x' writes true and false in several ways, each of which is a word: '0', …",
    ),
]

CASES = [*FIELDS, *NUMBERS, *GAPS]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
