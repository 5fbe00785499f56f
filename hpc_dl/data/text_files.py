"""Text files in UTF-8, which what is called a text often is not. Light."""

from __future__ import annotations

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


def read(key: str, file: Path) -> str:
    """Return a text, with the newlines of Windows as `\\n`.

    Raises UserError, with the row, for what is none.
    `key` is the option that names the file.
    """
    path = regular_file(key, file)
    with reading(key, path, "text"):
        raw = path.read_bytes()
    for first, (what, hint) in _OTHERS.items():
        if raw.startswith(first):
            raise UserError(f"{key}: {path} is {what}, not a text", hint=hint)
    if not raw.strip():
        raise UserError(f"{key}: {path} is empty")
    if (zero := raw.find(b"\0")) >= 0:
        end = "le" if zero % 2 else "be"
        raise UserError(
            f"{key}: {path} is no text: byte {zero} of {len(raw)} is 0, as in programs",
            hint=f"If it is a text in UTF-16: iconv -f utf-16{end} -t utf-8 FILE > NEW_FILE.",
        )
    return _decode(raw, f"{key}: {path}").replace("\r\n", "\n")


def _decode(raw: bytes, where: str) -> str:
    """Return a text in UTF-8. Raises UserError, with the row, for bytes that are not."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = raw[: error.start].count(b"\n") + 1
        if error.reason == "unexpected end of data":
            raise UserError(
                f"{where}:{row} ends within a character",
                hint="Is it cut off? Get it again, or convert what is there: iconv -c -f utf-8 "
                "-t utf-8 FILE > NEW_FILE.",
            ) from None
        raise UserError(
            f"{where}:{row}: byte {raw[error.start]:#04x} at offset {error.start} is not UTF-8",
            hint="Convert it from its encoding, like windows-1252 (of the West), windows-1251 "
            "(Cyrillic), shift_jis or gb18030: iconv -f windows-1252 -t utf-8 FILE > NEW_FILE.",
        ) from None
