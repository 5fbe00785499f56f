"""Text files in UTF-8, which what is called a text often is not. Light."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from hpc_dl.data.faults import reading, regular_file
from hpc_dl.errors import UserError

_OTHERS = {
    b"\x1f\x8b": ("compressed by gzip", "Unpack it: gunzip FILE."),
    b"BZh": ("compressed by bzip2", "Unpack it: bunzip2 FILE."),
    b"\xfd7zXZ": ("compressed by xz", "Unpack it: unxz FILE."),
    b"PK\x03\x04": (
        "a zip archive, as .docx and .epub are",
        "Unpack it, or save it as plain text.",
    ),
    b"%PDF": ("a PDF", "Convert it: pdftotext FILE.pdf FILE.txt."),
    b"\x28\xb5\x2f\xfd": ("compressed by zstd", "Unpack it: unzstd FILE."),
    b"7z\xbc\xaf": ("a 7z archive", "Unpack it: 7z x FILE."),
    b"Rar!": ("a rar archive", "Unpack it: unrar x FILE."),
    b"\xd0\xcf\x11\xe0": ("a file of Office, as .doc is", "Save it as plain text."),
    b"\xff\xfe\0\0": ("in UTF-32", "Convert it: iconv -f utf-32 -t utf-8 FILE > NEW_FILE."),
    b"\xff\xfe": ("in UTF-16", "Convert it: iconv -f utf-16 -t utf-8 FILE > NEW_FILE."),
    b"\xfe\xff": ("in UTF-16", "Convert it: iconv -f utf-16 -t utf-8 FILE > NEW_FILE."),
}
"""First bytes → what the file is, and what to do."""


AT_ONCE = 2**22
"""Bytes that are read at once."""
KEPT = 2**27
"""Bytes of texts that are kept while they are described, which takes several passes; larger ones
are read for each of them."""


def read(key: str, file: Path) -> str:
    """Return a text, with the newlines of Windows as `\\n`.

    Raises UserError, with the row, for what is none.
    `key` is the option that names the file.
    """
    return "".join(read_in_parts(key, file))


def read_in_parts(key: str, file: Path) -> Iterator[str]:
    """Yield a text part by part, as `read` does the whole."""
    path = regular_file(key, file)
    decoder, held, is_empty = _Decoder(f"{key}: {path}"), "", True
    with reading(key, path, "text"), path.open("rb") as opened:
        for raw in iter(lambda: opened.read(AT_ONCE), b""):
            if decoder.position == 0:
                _refuse_other_forms(raw, f"{key}: {path}")
            is_empty = is_empty and not raw.strip()
            _refuse_zero(raw, decoder.position, f"{key}: {path}", path)
            text = held + decoder.decode(raw)
            held = "\r" if text.endswith("\r") else ""  # its newline may be in the next part
            yield text.removesuffix("\r").replace("\r\n", "\n")
    if is_empty:
        raise UserError(f"{key}: {path} is empty")
    yield held + decoder.decode(b"", final=True)


def _refuse_other_forms(raw: bytes, where: str) -> None:
    """Raise UserError where a file begins like one of another form."""
    for first, (what, hint) in _OTHERS.items():
        if raw.startswith(first):
            raise UserError(f"{where} is {what}, not a text", hint=hint)


def _refuse_zero(raw: bytes, position: int, where: str, path: Path) -> None:
    """Raise UserError for a byte 0 in a part of a file."""
    if (zero := raw.find(b"\0")) >= 0:
        end = "le" if (position + zero) % 2 else "be"
        raise UserError(
            f"{where} is no text: byte {position + zero} of {path.stat().st_size} is 0, as in "
            "programs",
            hint=f"If it is a text in UTF-16: iconv -f utf-16{end} -t utf-8 FILE > NEW_FILE.",
        )


class _Decoder:
    """Decodes UTF-8 part by part."""

    def __init__(self, where: str) -> None:
        self.where, self.position, self.rows = where, 0, 1
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()

    def decode(self, raw: bytes, *, final: bool = False) -> str:
        """Return the text of the next bytes. Raises UserError, with the row, for bytes that are
        not UTF-8."""
        held = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(raw, final)
        except UnicodeDecodeError as error:
            raise self._fault(error, self.position - held) from None
        self.position += len(raw)
        self.rows += raw.count(b"\n")
        return text

    def _fault(self, error: UnicodeDecodeError, first: int) -> UserError:
        row = self.rows + error.object[: error.start].count(b"\n")
        if error.reason == "unexpected end of data":
            return UserError(
                f"{self.where}:{row} ends within a character",
                hint="Is it cut off? Get it again, or convert what is there: iconv -c -f utf-8 "
                "-t utf-8 FILE > NEW_FILE.",
            )
        return UserError(
            f"{self.where}:{row}: byte {error.object[error.start]:#04x} at offset "
            f"{first + error.start} is not UTF-8",
            hint="Convert it from its encoding, like windows-1252 (of the West), windows-1251 "
            "(Cyrillic), shift_jis or gb18030: iconv -f windows-1252 -t utf-8 FILE > NEW_FILE.",
        )
