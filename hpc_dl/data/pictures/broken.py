"""Pictures that cannot be read: why, in words for a user, all of a folder at once. Light."""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from hpc_dl.data.class_folders.walk import shown, special
from hpc_dl.data.faults import PLACES, Faults
from hpc_dl.errors import UserError, reason

_FIRST_BYTES = 512
_MEDIA = rb"(?s).{4}ftyp"
"""Beginning of the files of a family to which HEIC and films belong."""
_REPLACE = "Remove or replace them."
_CONVERT = "Save them as JPEG or PNG."
_DAMAGED = ("cut off or damaged", "Remove, replace or save them again.")
_OTHERS: Sequence[tuple[bytes, str, str]] = (
    (rb"\s*(<!--.*?-->\s*)?<(!doctype html|html|head|body)", "a web page", "Download them again."),
    (rb"version https://git-lfs", "a pointer of Git LFS", "`git lfs pull` fetches the pictures."),
    (_MEDIA + b"(hei|hev|mif1|msf1)", "HEIC, which is not read", _CONVERT),
    (_MEDIA + b"avi", "AVIF, damaged or not read here", _CONVERT),
    (_MEDIA, "a film", "Save its frames as pictures."),
    (rb"\s*<(\?xml|svg)", "a drawing in SVG or other XML", _CONVERT),
    (rb"%PDF", "a PDF", _CONVERT),
    (rb"%!PS", "PostScript", _CONVERT),
    (rb"8BPS", "a file of Photoshop", _CONVERT),
    (rb"PK\x03\x04|\x1f\x8b|Rar!|7z\xbc\xaf", "an archive", "Unpack it."),
    (rb"(?s).{128}DICM", "DICOM, which is not read", _CONVERT),
    (rb"\x89HDF|\x93NUMPY", "an array", "`data.name: npz` and `hdf5` read arrays."),
    (rb"P[1-6]\s", *_DAMAGED),
    (rb"[\x09\x0a\x0d\x20-\x7e\x80-\xf4]+\Z", "text", _REPLACE),
    (rb"\xff\xfe|\xfe\xff", "text", _REPLACE),
    (rb"\0+\Z", "zeros, as a full disk or a crash leaves them", "Copy them again."),
)
"""Beginnings of files that are no pictures, what they are, and what to do about it."""
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ODD_TIFF = (
    "a TIFF of channels or numbers that are not read, or damaged",
    "Save it as grey or RGB, of 8 or 16 bits; of several bands, make arrays: data.name: npz.",
)


class UnreadablePicture(UserError):
    """A picture that cannot be read, and why."""

    def __init__(self, name: str, why: str, remedy: str = _REPLACE) -> None:
        super().__init__(f"{name} is not a readable picture: {why}", hint=remedy)
        self.name, self.why = name, why

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.why, self.hint)  # a worker sends it to its rank


class Refused(Exception):
    """Why a picture is not decoded, though Pillow may do so."""


def unreadable(given: Any, error: Exception) -> UnreadablePicture:
    """Return the error for a picture: a path, an open file or a picture of Pillow's."""
    name = getattr(given, "filename", None) or getattr(given, "name", None)
    path = Path(given if isinstance(given, Path | str) else name or "the picture")
    why, remedy = _explain(given if isinstance(given, Path | str) else None, error)
    return UnreadablePicture(str(path), why, remedy)


def refuse_special(path: Path | str) -> None:
    """Raise Refused for anything but a regular file: opening a named pipe would wait forever."""
    if why := special(path):
        raise Refused(why)


def refuse(bad: Sequence[UnreadablePicture], among: str, root: Path, cache: Path) -> None:
    """Raise UserError for pictures that cannot be read, if there are any, with their reasons.

    `among` says of how many; where a message cannot name all, a file in `cache` does.
    """
    listed = _list_all((it.name for it in bad), cache) if len(bad) > PLACES else None
    beside = f" ({listed} lists all)" if listed else ""
    faults = Faults(f"data.root: {len(bad)} of {among} in {root} cannot be read{beside}")
    for it in bad:
        faults.add(it.why, [shown(it.name, root)], it.hint)
    faults.refuse()


def _explain(path: Path | str | None, error: Exception) -> tuple[str, str]:
    """Return why a picture cannot be read, and what to do."""
    if isinstance(error, Refused):
        return str(error), _REPLACE
    if isinstance(error, MemoryError):
        return "decoded, it does not fit into memory", "Scale it down, or lower data.size."
    if isinstance(error, Image.DecompressionBombError):
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        too_large = f"it has more than {most:.0f} million pixels, the most that are decoded"
        return too_large, "Scale it down, or cut it into tiles."
    if isinstance(error, OSError) and error.errno is not None:
        gone = "no longer there" if isinstance(error, FileNotFoundError) else ""
        return gone or reason(error).partition(": ")[0], _REPLACE
    return (_sniff(path) if path is not None else None) or _explain_contents(path, error)


def _explain_contents(path: Path | str | None, error: Exception) -> tuple[str, str]:
    """Return why a file that begins as a picture may do cannot be read, and what to do."""
    if isinstance(error, ValueError) and "too large" in str(error):
        return "more text or a larger colour profile than is read", "Save them without metadata."
    if isinstance(error, UnidentifiedImageError):
        is_tiff = path is not None and _first_bytes(path).startswith(_TIFF)
        return _ODD_TIFF if is_tiff else ("of no known format", _CONVERT)
    return _DAMAGED


def _sniff(path: Path | str) -> tuple[str, str] | None:
    """Return what a file is instead of a picture, by its first bytes, and what to do."""
    first = _first_bytes(path).removeprefix(codecs.BOM_UTF8)
    if not first:
        return "empty", _REPLACE
    found = (them for pattern, *them in _OTHERS if re.match(pattern, first, re.IGNORECASE))
    return next(((what, remedy) for what, remedy in found), None)


def _first_bytes(path: Path | str) -> bytes:
    with contextlib.suppress(OSError), Path(path).open("rb") as file:
        return file.read(_FIRST_BYTES)
    return b""


def _list_all(names: Iterable[str], cache: Path) -> Path | None:
    """Write a list of files, one a line, and return where; None where it cannot be written."""
    text = "".join(f"{name}\n" for name in names)
    data = text.encode(errors="surrogateescape")
    file = cache / f"broken-{hashlib.sha256(data).hexdigest()[:8]}.txt"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    except OSError:
        return None
    return file
