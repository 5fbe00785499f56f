"""Files that are CSV within, and files that are called so."""

import bz2
import gzip
import io
import lzma
import os
import sqlite3
import zipfile

import pandas
import pyarrow
import pytest

from tests.data.unusual.test_csv import COMMON, TABLE, rows, text
from tests.support.unusual_data import Case, check


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


def pipe(folder):
    os.mkfifo(folder / "t.csv")
    return {**COMMON, "path": str(folder / "t.csv")}


def database(folder):
    with sqlite3.connect(folder / "t.csv") as opened:
        opened.execute("create table people (age int, kind text)")
    return {**COMMON, "path": str(folder / "t.csv")}


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
        "UTF-16 without a mark, with `data.encoding`",
        lambda folder: text(*TABLE, encoding="utf-16-le")(folder) | {"encoding": "utf-16-le"},
        "trains",
    ),
    Case(
        "bytes that the encoding does not have",
        content(PLAIN.replace(b"12.5", b"\x81"), encoding="cp1252"),
        "submission",
        "not CP1252: line 27 (byte …is 0x81)",
    ),
    Case(
        "Latin-1",
        text(
            "größe,kind", *rows(lambda n: f"{n},{'été' if n % 2 else 'hiver'}"), encoding="latin-1"
        ),
        "submission",
        "not UTF-8: line 1 (byte 2 is 0xf6), line 3 (byte …data.encoding names another: cp1252",
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
    Case(
        "lines that end as on Windows, and none at the end",
        content(PLAIN.replace(b"\n", b"\r\n")),
        "trains",
    ),
    Case("an empty file", content(b""), "submission", "t.csv is empty"),
    Case("a file of blank lines", content(b"\n\n\n"), "submission", "has no rows"),
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
    Case(
        "sparse rows of SVMlight",
        content(b"1 3:0.5 7:1\n-1 2:4e-3\n" * 20),
        "submission",
        "is a sparse file of SVMlight, not CSV",
    ),
    Case("bytes that are no text", content(bytes(range(256)) * 9), "submission", "is no text"),
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
    Case("a named pipe", pipe, "submission", "t.csv is no regular file"),
    Case(
        "a folder",
        lambda folder: {**COMMON, "path": str(folder)},
        "submission",
        "is a folder",
    ),
]

CASES = [*ENCODINGS, *PACKED, *FORMS]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
