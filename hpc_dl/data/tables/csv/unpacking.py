"""Compressed files: unpacked by what their first bytes tell, not by their names."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from hpc_dl.data.faults import reading
from hpc_dl.errors import UserError, first_few

_LITTER = ("__MACOSX/", ".DS_Store")
"""What macOS puts beside the files of an archive."""


def find_packing(head: bytes) -> str:
    """Return how a file is compressed, which its first bytes tell."""
    magic = {
        b"\x1f\x8b": "gzip",
        b"BZh": "bzip2",
        b"\xfd7zXZ\x00": "xz",
        b"\x28\xb5\x2f\xfd": "zstd",
        b"PK\x03\x04": "zip",
        b"PK\x05\x06": "zip",  # of no files
    }
    return next((name for start, name in magic.items() if head.startswith(start)), "")


@contextlib.contextmanager
def open_binary(path: Path, packed: str) -> Iterator[IO[bytes]]:
    """Open a file, unpacked."""
    match packed:
        case "gzip":
            with gzip.open(path) as unzipped:
                yield cast("IO[bytes]", unzipped)
        case "bzip2":
            with bz2.open(path) as stream:
                yield stream
        case "xz":
            with lzma.open(path) as stream:
                yield stream
        case "zip":
            with zipfile.ZipFile(path) as archive, archive.open(_files(archive)[0]) as stream:
                yield stream
        case "zstd":
            import pyarrow

            with pyarrow.input_stream(str(path), compression="zstd") as packed_stream:
                yield io.BufferedReader(packed_stream)
        case _:
            with path.open("rb") as stream:
                yield stream


def _files(archive: zipfile.ZipFile) -> list[str]:
    return [
        it
        for it in archive.namelist()
        if not it.endswith("/") and not any(litter in it for litter in _LITTER)
    ]


def refuse_archive(path: Path, key: str) -> None:
    """Raise UserError for a zip file that is not of one file alone."""
    where = f"{key}: {path}"
    with reading(key, path, "zip file"), zipfile.ZipFile(path) as archive:
        names = _files(archive)
    if "[Content_Types].xml" in names or "mimetype" in names:
        what = "a workbook (.xlsx or .ods)"
        raise UserError(f"{where} is {what}, not CSV", hint="Save the sheet as CSV.")
    if names and all(name.endswith(".npy") for name in names):
        raise UserError(f"{where} is of NumPy's arrays, not CSV", hint="data.name: npz reads it.")
    if len(names) != 1:
        raise UserError(
            f"{where} is a zip file of {len(names)} files: {first_few(names)}".removesuffix(": "),
            hint="Unpack it, and name the one to read.",
        )
