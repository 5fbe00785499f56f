"""CSV files as users have them."""

import bz2
import gzip
import io
import lzma
import sqlite3
import zipfile

import pandas
import pyarrow
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


def content(data, name="t.csv", **options):
    """Return what writes bytes, or what a function returns, and the options that read them."""

    def make(folder):
        (folder / name).write_bytes(data() if callable(data) else data)
        return {**COMMON, "path": str(folder / name), **options}

    return make


PLAIN = "\n".join(TABLE).encode()


def zipped(*names):
    def make():
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w") as archive:
            for name in names:
                archive.writestr(name, PLAIN)
        return written.getvalue()

    return make


def parquet():
    written = io.BytesIO()
    pandas.DataFrame({"x": [1, 2], "kind": ["a", "b"]}).to_parquet(written)
    return written.getvalue()


def zstandard():
    return pyarrow.Codec("zstd").compress(PLAIN, asbytes=True)


def database(folder):
    with sqlite3.connect(folder / "t.csv") as opened:
        opened.execute("create table people (age int, kind text)")
    return {**COMMON, "path": str(folder / "t.csv")}


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
        "lines that end as on Windows, and none at the end",
        content(PLAIN.replace(b"\n", b"\r\n")),
        "trains",
    ),
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
        "300 columns",
        text(
            ",".join([*(f"gene{n}" for n in range(300)), "kind"]),
            *rows(lambda n: "0.5," * 299 + f"{n},{kind(n)}", 30),
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
    Case("a header and no rows", text(TABLE[0]), "submission", "has no rows"),
    Case("an empty file", content(b""), "submission", "t.csv is empty"),
    Case("a file of blank lines", content(b"\n\n\n"), "submission", "has no rows"),
]

ENCODINGS = [
    Case("UTF-8 with a mark at its beginning", text(*TABLE, encoding="utf-8-sig"), "trains"),
    Case("UTF-16 with a mark, as Excel's Unicode text", text(*TABLE, encoding="utf-16"), "trains"),
    Case(
        "UTF-16 without a mark",
        text(*TABLE, encoding="utf-16-le"),
        "submission",
        "every other byte of it is 0…data.encoding: utf-16-le",
    ),
    Case(
        "Latin-1",
        text(
            "größe,kind", *rows(lambda n: f"{n},{'été' if n % 2 else 'hiver'}"), encoding="latin-1"
        ),
        "submission",
        "not UTF-8: line 1 (byte 2 is 0xf6), line 3 (byte …data.encoding: cp1252, latin-1",
    ),
    Case(
        "Latin-1, with `data.encoding`",
        content(
            "größe,kind\n".encode("latin-1") + b"1,\xe9t\xe9\n2,hiver\n" * 30, encoding="latin-1"
        ),
        "trains",
    ),
    Case(
        "UTF-8 with lines of cp1252 in it",
        content(b"x,kind\n" + b"\n".join([b"1,\xc3\xa9", b"2,b"] * 9) + b"\n3,\x93a\x94\n"),
        "submission",
        "not UTF-8: line 20 (byte …is 0x93)",
    ),
    Case(
        "an encoding that the mark contradicts",
        content(b"\xef\xbb\xbf" + PLAIN, encoding="latin-1"),
        "submission",
        "begins with the mark of UTF-8, and data.encoding is latin-1",
    ),
    Case(
        "bytes that are 0",
        content(PLAIN.replace(b"12.5", b"12\x00")),
        "submission",
        "bytes that are 0: line 27",
    ),
]

PACKED = [
    Case("gzip", content(gzip.compress(PLAIN), "t.csv.gz"), "trains"),
    Case("gzip that is called .csv", content(gzip.compress(PLAIN)), "trains"),
    Case("text that is called .gz", content(PLAIN, "t.csv.gz"), "trains"),
    Case("bzip2", content(bz2.compress(PLAIN), "t.csv.bz2"), "trains"),
    Case("xz", content(lzma.compress(PLAIN), "t.csv.xz"), "trains"),
    Case("zstd", content(zstandard, "t.csv.zst"), "trains"),
    Case(
        "zip of one file, made on a Mac",
        content(zipped("t.csv", "__MACOSX/._t.csv"), "t.zip"),
        "trains",
    ),
    Case(
        "zip of several files",
        content(zipped("train.csv", "test.csv"), "t.zip"),
        "submission",
        "is a zip file of 2 files: train.csv, test.csv",
    ),
    Case("zip of none", content(zipped(), "t.zip"), "submission", "is a zip file of 0 files"),
    Case(
        "gzip that is cut off",
        content(gzip.compress(PLAIN)[:-30], "t.csv.gz"),
        "submission",
        "is no readable gzip file: ",
    ),
]

FORMS = [
    Case(
        "a workbook of Excel that is called .csv",
        content(zipped("[Content_Types].xml", "xl/workbook.xml")),
        "submission",
        "is a workbook (.xlsx or .ods), not CSV…Save the sheet as CSV.",
    ),
    Case(
        "an old workbook of Excel",
        content(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "t.xls"),
        "submission",
        "is an old Excel workbook (.xls), not CSV",
    ),
    Case(
        "a page of a failed download",
        content(b"<!DOCTYPE html>\n<html><body>Please log in, thank you</body></html>"),
        "submission",
        "is a web page, not CSV…The download failed, or needs a login.",
    ),
    Case(
        "a pointer of Git LFS",
        content(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n"),
        "submission",
        "is a pointer of Git LFS, not the file itself, not CSV…git lfs pull",
    ),
    Case("JSON", content(b'[{"x": 1, "kind": "a"}]'), "submission", "is JSON, not CSV"),
    Case("a row of JSON a line", content(b'{"x": 1, "kind": "a"}\n' * 9), "submission", "is JSON"),
    Case(
        "Parquet", content(parquet), "submission", "is a Parquet file, not CSV…data.name: parquet"
    ),
    Case("SQLite", database, "submission", "is an SQLite database, not CSV"),
    Case(
        "ARFF of Weka",
        content(b"% 1. Title: Iris\n\n@RELATION iris\n@ATTRIBUTE x REAL\n@DATA\n1,a\n"),
        "submission",
        "is a file of Weka (ARFF), not CSV…data.skiprows",
    ),
    Case("CSV that is called Parquet", content(PLAIN, name="t.parquet"), "trains"),
    Case(
        "CSV that is read as Parquet",
        lambda folder: text(*TABLE)(folder) | {"name": "parquet"},
        "submission",
        "t.csv is no Parquet file…data.name: csv",
    ),
    Case(
        "a folder",
        lambda folder: {**COMMON, "path": str(folder)},
        "submission",
        "is a folder",
    ),
]

CASES = [*DIALECTS, *HEADERS, *ENCODINGS, *PACKED, *FORMS]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
