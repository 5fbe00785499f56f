"""Forms of files by their first bytes, for messages on a file of another form than is wanted."""

from __future__ import annotations

import re

HEAD = 4096
"""How many bytes of a file are looked at."""

_MAGIC: dict[bytes, tuple[str, str]] = {
    b"PAR1": (
        "a Parquet file",
        "data.name: parquet reads tables of it. For others: "
        "pandas.read_parquet(OLD).to_csv(NEW, index=False)",
    ),
    b"\x89HDF\r\n\x1a\n": ("an HDF5 file", "data.name: hdf5 reads arrays of it."),
    b"\x93NUMPY": ("an array of NumPy", "numpy.savez puts arrays into a file for data.name: npz."),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("an old Excel workbook (.xls)", "Save it as CSV."),
    b"SQLite format 3\x00": ("an SQLite database", "Export the table as CSV."),
    b"%PDF-": ("a PDF", "Export the table as CSV."),
    b"ARROW1": ("a Feather file", "pandas.read_feather(OLD).to_parquet(NEW)"),
    b"ORC": ("an ORC file", "pandas.read_orc(OLD).to_parquet(NEW)"),
    b"\x80\x03": ("a pickle", "Pickles run code when read. Save it by pandas' to_parquet."),
    b"\x80\x04": ("a pickle", "Pickles run code when read. Save it by pandas' to_parquet."),
    b"\x80\x05": ("a pickle", "Pickles run code when read. Save it by pandas' to_parquet."),
    b"RDX": ("a file of R (.RData)", "In R: write.csv(table, 'NEW.csv', row.names = FALSE)"),
    b"X\n\x00\x00\x00": ("a file of R (.rds)", "In R: write.csv(table, 'NEW.csv')"),
    b"<stata_dta>": ("a file of Stata", "pandas.read_stata(OLD).to_parquet(NEW)"),
    b"$FL2": ("a file of SPSS", "Export the table as CSV."),
    b"7z\xbc\xaf'\x1c": ("a 7z archive", "Unpack it."),
    b"Rar!\x1a\x07": ("a RAR archive", "Unpack it."),
    b"\x89PNG": ("a picture", "data.name: image_folder reads folders of pictures."),
    b"\xff\xd8\xff": ("a picture", "data.name: image_folder reads folders of pictures."),
}
_DOWNLOAD = "The download failed, or needs a login. Fetch the file itself."
_TEXTS: dict[str, tuple[str, str]] = {
    r"\s*<(!doctype html|!--|html|head|body|table|script|div)\b": ("a web page", _DOWNLOAD),
    r"version https://git-lfs": ("a pointer of Git LFS, not the file itself", "git lfs pull"),
    r"\s*<(\?xml|[A-Za-z][\w:]*[\s>])": ("XML", "Export the table as CSV."),
    r"\s*(\{\s*[\"}]|\[\s*[{\[])": (
        "JSON",
        "pandas.read_json(OLD).to_csv(NEW, index=False); with lines=True, if each line is a row.",
    ),
    r"[+-]?[\d.]+( +\d+:[-+.\deE]+)+\s*\n": (
        "a sparse file of SVMlight",
        "sklearn.datasets.load_svmlight_file reads it; numpy.savez writes one for data.name: npz.",
    ),
    r"\{\\rtf": ("a text document (RTF)", "Save it as plain text."),
    r"(\s*%[^\n]*\n|\s)*@relation\s": (
        "a file of Weka (ARFF)",
        "Leave out all up to @data, and name the columns: data.skiprows and data.names.",
    ),
    r"(--[^\n]*\n|\s)*(CREATE TABLE|INSERT INTO|DROP TABLE)": (
        "a dump of SQL",
        "Export the table as CSV.",
    ),
}


def find_other_form(head: bytes) -> tuple[str, str] | None:
    """Return what a file is that begins with `head`, and what to do; None of text as in tables."""
    if head[257:262] == b"ustar":
        return "a tar archive", "Unpack it."
    for magic, form in _MAGIC.items():
        if head.startswith(magic):
            return form
    text = head.decode("utf-8-sig", errors="replace")
    return next(
        (form for it, form in _TEXTS.items() if re.match(it, text, re.IGNORECASE)),
        None,
    )
