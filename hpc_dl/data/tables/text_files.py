"""Text of CSV files: unpacked by what they are, not by their names, and decoded.

An encoding is taken from the file's first bytes where they tell it, and else is UTF-8 or the one
that the user names: nothing is guessed.
"""

from __future__ import annotations

import bz2
import codecs
import contextlib
import gzip
import io
import lzma
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO, cast

from hpc_dl.data.faults import Faults, reading
from hpc_dl.data.file_forms import HEAD, find_other_form
from hpc_dl.errors import UserError, first_few

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, of which its mark begins with
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_LITTER = ("__MACOSX/", ".DS_Store")
"""What macOS puts beside the files of an archive."""
CHUNK = 2**20


@dataclass(frozen=True)
class TextFile:
    """A file of text: where messages say that it is, and how it is read."""

    path: Path
    key: str
    """The option that names it, like `data.path`."""
    encoding: str
    packed: str = ""
    """How it is compressed, if it is."""

    @property
    def where(self) -> str:
        """The option and the file, for messages."""
        return f"{self.key}: {self.path}"

    @contextlib.contextmanager
    def open(self, skip: int = 0, errors: str = "strict") -> Iterator[TextIO]:
        """Open the text, after so many lines; the ends of lines are those of the file."""
        with (
            _binary(self.path, self.packed) as stream,
            io.TextIOWrapper(stream, self.encoding, errors, newline="") as text,
        ):
            for _ in range(skip):
                text.readline()
            yield text

    def lines(self, skip: int = 0, errors: str = "strict") -> Iterator[str]:
        """Yield the lines after so many."""
        with self.open(skip, errors) as text:
            yield from text


def find_text(path: Path, key: str, encoding: str | None) -> TextFile:
    """Return how a file is to be read. Raises UserError for one that is no text, or that is not in
    its encoding."""
    where = f"{key}: {path}"
    with reading(key, path, "file"), path.open("rb") as file:
        head = file.read(HEAD)
    packed = _find_packing(head)
    if packed == "zip":
        _member(path, where)
    if packed:
        with reading(key, path, f"{packed} file"), _binary(path, packed) as stream:
            head = stream.read(HEAD)
    if not head:
        raise UserError(f"{where} is empty")
    if form := find_other_form(head):
        raise UserError(f"{where} is {form[0]}, not CSV", hint=form[1])
    found = TextFile(path, key, _find_encoding(head, encoding, where), packed)
    with reading(key, path, f"{packed or 'csv'} file"):
        _refuse_undecodable(found, asked=encoding)
    return found


def _find_packing(head: bytes) -> str:
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
def _binary(path: Path, packed: str) -> Iterator[IO[bytes]]:
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


def _member(path: Path, where: str) -> None:
    """Raise UserError for a zip file that is not of one file alone."""
    with reading(where.partition(":")[0], path, "zip file"), zipfile.ZipFile(path) as archive:
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


def _find_encoding(head: bytes, asked: str | None, where: str) -> str:
    """Return the encoding that a file's mark tells, or the one that was asked for, or UTF-8."""
    marked = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
    if marked:
        family = marked.removesuffix("-sig")
        if asked and not codecs.lookup(asked).name.startswith(family):
            raise UserError(
                f"{where} begins with the mark of {family.upper()}, and data.encoding is {asked}",
                hint=f"data.encoding: {family}, or leave it out.",
            )
        return marked
    if asked is None and head.count(0) > len(head) / 5:
        order = "le" if head[1::2].count(0) > head[::2].count(0) else "be"
        raise UserError(
            f"{where} is not UTF-8: every other byte of it is 0",
            hint=f"If it is text: data.encoding: utf-16-{order}.",
        )
    if sum(byte < 32 and byte not in b"\t\n\v\f\r" for byte in head) > len(head) / 20:
        raise UserError(f"{where} is no text", hint="Export the table as CSV.")
    return asked or "utf-8"


def _refuse_undecodable(file: TextFile, asked: str | None) -> None:
    """Raise UserError for bytes that are not in the encoding, or that are 0."""
    decoder = codecs.getincrementaldecoder(file.encoding)()
    has_zeros = broken = False
    with _binary(file.path, file.packed) as stream:
        try:
            while chunk := stream.read(CHUNK):
                has_zeros |= "\0" in decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            broken = True
    if not broken and not has_zeros:
        return
    faults = Faults(file.where)
    if broken:
        hint = "If it is of Windows or an old Mac: data.encoding: cp1252, latin-1 or mac-roman."
        what = f"not {file.encoding.removesuffix('-sig').upper()}"
        faults.add(what, _broken_places(file), "" if asked else hint)
    if has_zeros:
        lines = enumerate(file.lines(errors="replace"), 1)
        places = (f"line {number}" for number, line in lines if "\0" in line)
        faults.add("bytes that are 0", places, "The file is damaged, or no text.")
    faults.refuse()


def _broken_places(file: TextFile) -> Iterable[str]:
    """Yield the lines that are not in the encoding, with the first byte that is wrong."""
    with _binary(file.path, file.packed) as stream:
        if not file.encoding.startswith("utf-8"):
            yield "some of its bytes"
            return
        start = 0
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                wrong = error.object[error.start]
                yield f"line {number} (byte {start + error.start} is 0x{wrong:02x})"
            start += len(line)
