"""Ends of files of pictures: one that was cut off is known without decoding it. Light."""

from __future__ import annotations

import os
from typing import IO

from PIL import Image

_MARKS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
"""What the files of a format end with."""
_LAST_BYTES = 4096
"""The mark is looked for in these: some programs write more behind it."""
_TIFF_PARTS = ((273, 279), (324, 325))
"""TIFF's tags of the offsets and the lengths of strips, and of tiles."""


def has_end(picture: Image.Image, file: IO[bytes]) -> bool:
    """Return whether an open picture's file seems to be whole; False where that is not known."""
    there = os.fstat(file.fileno()).st_size
    if mark := _MARKS.get(picture.format or ""):
        return mark in _read(file, max(there - _LAST_BYTES, 0))
    if picture.format == "GIF":
        return _read(file, max(there - _LAST_BYTES, 0)).rstrip(b"\0").endswith(b";")
    if picture.format == "WEBP":
        return 8 + int.from_bytes(_read(file, 4, 4), "little") <= there
    return (_tiff_bytes if picture.format == "TIFF" else _raw_bytes)(picture) <= there


def _read(file: IO[bytes], start: int, count: int = -1) -> bytes:
    place = file.tell()
    file.seek(start)
    found = file.read(count)
    file.seek(place)
    return found


def _tiff_bytes(picture: Image.Image) -> float:
    """Return where the last strip or tile ends; infinity where that is not known."""
    tags = getattr(picture, "tag_v2", {})
    for offsets, lengths in _TIFF_PARTS:
        if offsets in tags and lengths in tags:
            return max(map(sum, zip(tags[offsets], tags[lengths], strict=False)), default=0)
    return float("inf")


def _raw_bytes(picture: Image.Image) -> float:
    """Return where the last row of uncompressed pixels ends; infinity where that is not known."""
    ends = [
        offset + how[1] * (bottom - top)
        for codec, (_, top, _, bottom), offset, how in getattr(picture, "tile", ())
        if codec == "raw" and isinstance(how, tuple) and how[1] > 0
    ]
    return max(ends, default=float("inf"))
