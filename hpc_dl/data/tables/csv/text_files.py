"""Text of CSV files, decoded.

An encoding is taken from the file's first bytes where they tell it, and else is UTF-8 or the one
that the user names: nothing is guessed.
"""

from __future__ import annotations

import codecs
import contextlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from hpc_dl.data.faults import Faults, reading
from hpc_dl.data.file_forms import HEAD, find_other_form
from hpc_dl.data.tables.csv.unpacking import find_packing, open_binary, refuse_archive
from hpc_dl.errors import UserError

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, of which its mark begins with
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
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
            open_binary(self.path, self.packed) as stream,
            io.TextIOWrapper(stream, self.encoding, errors, newline="") as text,
        ):
            for _ in range(skip):
                text.readline()
            yield text

    def lines(self, skip: int = 0, errors: str = "strict") -> Iterator[str]:
        """Yield the lines after so many."""
        with self.open(skip, errors) as text:
            yield from text


def find_text(path: Path, key: str, encoding: str | None, form: str = "CSV") -> TextFile:
    """Return how a file of text in a `form` is to be read. Raises UserError for one that is no
    text, or that is not in its encoding."""
    where = f"{key}: {path}"
    with reading(key, path, "file"), path.open("rb") as file:
        head = file.read(HEAD)
    packed = find_packing(head)
    if packed == "zip":
        refuse_archive(path, key)
    if packed:
        with reading(key, path, f"{packed} file"), open_binary(path, packed) as stream:
            head = stream.read(HEAD)
    if not head:
        raise UserError(f"{where} is empty")
    if other := find_other_form(head):
        raise UserError(f"{where} is {other[0]}, not {form}", hint=other[1])
    with reading(key, path, f"{packed or form.lower()} file"), _hint_of(form):
        found = TextFile(path, key, _find_encoding(head, encoding, where), packed)
        _refuse_undecodable(found, asked=encoding)
    return found


@contextlib.contextmanager
def _hint_of(form: str) -> Iterator[None]:
    """Have errors of the encoding say how a file is converted, where no option names another."""
    try:
        yield
    except UserError as error:
        if form == "CSV":
            raise
        raise UserError(
            error.message,
            hint="Convert it: iconv -f windows-1252 -t utf-8 FILE > NEW_FILE.",
            parts=error.parts,
        ) from None


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
    encoding = codecs.lookup(asked or "utf-8").name
    text = head.decode(encoding, errors="replace")
    if sum(it < " " and not it.isspace() for it in text) > len(text) / 20:
        raise UserError(f"{where} is no text", hint="Export the table as CSV.")
    return encoding


def _refuse_undecodable(file: TextFile, asked: str | None) -> None:
    """Raise UserError for bytes that are not in the encoding, or that are 0."""
    decoder = codecs.getincrementaldecoder(file.encoding)()
    has_zeros = broken = False
    with open_binary(file.path, file.packed) as stream:
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
        hint = "data.encoding names another: cp1252 or latin-1 of the West, gb18030 of China, ..."
        what = f"not {file.encoding.removesuffix('-sig').upper()}"
        faults.add(what, _broken_places(file), "" if asked else hint)
    if has_zeros:
        lines = enumerate(file.lines(errors="replace"), 1)
        places = (f"line {number}" for number, line in lines if "\0" in line)
        faults.add("bytes that are 0", places, "The file is damaged, or no text.")
    faults.refuse()


def _broken_places(file: TextFile) -> Iterable[str]:
    """Yield the lines that are not in the encoding, with the first byte that is wrong."""
    with open_binary(file.path, file.packed) as stream:
        if file.encoding.startswith(("utf-16", "utf-32")):
            yield "some of its bytes"  # whose lines are not known before they are decoded
            return
        start = 0
        for number, line in enumerate(stream, 1):
            try:
                line.decode(file.encoding)
            except UnicodeDecodeError as error:
                wrong = error.object[error.start]
                yield f"line {number} (byte {start + error.start} is 0x{wrong:02x})"
            start += len(line)
