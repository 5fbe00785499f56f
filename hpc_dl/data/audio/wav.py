"""Wav files: RIFF, with samples that are integers of 8 to 32 bits, or floats. Light.

The standard library's `wave` reads no floats, before Python 3.12 no WAVE_FORMAT_EXTENSIBLE, and
does not see that a file is cut off. The format: Microsoft and IBM, Multimedia Programming Interface
and Data Specifications 1.0 (1991); RFC 2361.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from hpc_dl.data.audio.faults import CONVERT, DAMAGED, Refused

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_CODECS = {2: "ADPCM", 6: "A-law", 7: "μ-law", 0x11: "ADPCM", 0x31: "GSM 6.10", 0x55: "MP3"}
_TYPES = {
    (_PCM, 8): "u1",
    (_PCM, 16): "<i2",
    (_PCM, 24): "<i3",
    (_PCM, 32): "<i4",
    (_FLOAT, 32): "<f4",
    (_FLOAT, 64): "<f8",
}
"""NumPy's type of a sample; it has none of three bytes."""
_STREAMED = "If a program wrote it to a pipe, which knows no length before the end: "


@dataclass(frozen=True)
class Header:
    """Properties of a recording."""

    rate: int
    """Samples a second of each channel."""
    channels: int
    samples: int
    """Of each channel."""
    type: str = ""
    """Of a sample in a wav file; empty in other files."""
    start: int = 0
    """The first byte of the samples in a wav file."""


def read_header(file: IO[bytes]) -> Header:
    """Read the header of an open wav file. Raises Refused."""
    size, form = os.fstat(file.fileno()).st_size, None
    position = 12
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        position += 8
        if name == b"fmt ":
            form = _form(file.read(min(length, 40)))
        elif name == b"data":
            if form is None:
                raise Refused("a header whose samples come before their format", CONVERT)
            return _header(form, position, length, size)
        position += length + length % 2
    raise Refused("a header without samples: cut off?", DAMAGED)


def _form(chunk: bytes) -> tuple[str, int, int, int]:
    """Return the type of a sample, the channels, the rate, and the bytes of a step in time."""
    if len(chunk) < 16:
        raise Refused("a damaged header", DAMAGED)
    tag, channels, rate, _, step, bits = struct.unpack("<HHIIHH", chunk[:16])
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        tag = int.from_bytes(chunk[24:26], "little")
    type_ = _TYPES.get((tag, bits))
    if type_ is None and tag in (_PCM, _FLOAT):
        raise Refused(f"samples of {bits} bits, which are not read", CONVERT)
    if type_ is None:
        raise Refused(f"compressed by {_CODECS.get(tag, f'codec {tag}')}", CONVERT)
    if not channels or not rate or step != channels * bits // 8:
        raise Refused("a damaged header", DAMAGED)
    return type_, channels, rate, step


def _header(form: tuple[str, int, int, int], start: int, length: int, size: int) -> Header:
    type_, channels, rate, step = form
    if start + length > size or length % step:
        raise Refused(
            "cut off, or with a false length in the header",
            f"{DAMAGED} {_STREAMED}ffmpeg -i OLD NEW.wav",
        )
    return Header(rate, channels, length // step, type_, start)


def read_samples(path: Path, header: Header) -> Array:
    """Read the samples of a wav file, (samples, channels) in [-1, 1] where they are integers.

    Raises Refused where there are fewer than the header says.
    """
    import numpy as np

    count, is_of_three = header.samples * header.channels, header.type == "<i3"
    type_, each = ("u1", 3) if is_of_three else (header.type, 1)
    found = np.fromfile(path, type_, count * each, offset=header.start)
    if len(found) != count * each:
        raise Refused("cut off", DAMAGED)
    if is_of_three:  # as the upper three bytes of four, the lowest of which is 0
        padded = np.zeros((count, 4), np.uint8)
        padded[:, 1:] = found.reshape(-1, 3)
        found = padded.view("<i4")[:, 0]
    return _as_floats(found).reshape(-1, header.channels)


def _as_floats(samples: np.ndarray) -> Array:
    """Return integers as floats in [-1, 1), of bytes the middle being 128."""
    import numpy as np

    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    middle = 128 if samples.dtype == np.uint8 else 0
    scale = 2.0 ** (8 * samples.dtype.itemsize - 1)
    found: Array = ((samples.astype(np.float64) - middle) / scale).astype(np.float32)
    return found
