"""Decoding of pictures: upright, on white where they are transparent, 8 bits a channel.

All that reads pictures decodes them here, so that training, held in memory or streamed, and
prediction see the same pixels. Light: without torch.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import ExifTags, Image

from hpc_dl.data.pictures.broken import Refused, refuse_special, unreadable
from hpc_dl.data.pictures.file_ends import has_end

RULE = 2
"""Version of the decoding, part of the cache's names: raise it with every change that gives other
bytes for the same file."""

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
Given = Path | str | IO[bytes] | Image.Image

_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS = 256, 257, 258
"""TIFF's tags."""
_SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that swap height and width."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF orientation, what shows a picture upright."""
_FORMATS = ("PNG", "JPEG", "MPO", "TIFF", "BMP", "GIF", "WEBP", "PPM", "AVIF", "JPEG2000")
"""Formats that are read. Pillow knows others, of which one runs programs (EPS), and some are found
in any bytes (TGA)."""
_LARGE = 2**24
"""Pixels beyond which a process decodes one picture at a time, whatever its threads."""
_one_at_a_time = threading.Lock()

# It warns of odd metadata, in a line for each picture; what matters is an error here.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(given: Given, channels: int, size: Sequence[int] | None = None) -> Pixels:
    """Decode a picture as (C, H, W) bytes, grey or RGB, resized to (height, width).

    Raises UnreadablePicture naming one that cannot be read.
    """
    try:
        with _open(given) as picture, _alone_if_large(picture):
            flat = _convert(_flatten(picture), "L" if channels == 1 else "RGB")
            if size is not None:
                flat = flat.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            pixels = np.array(flat)
    except Exception as error:  # Pillow's readers raise all kinds at malformed files
        raise unreadable(given, error) from None
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


@dataclass(frozen=True)
class Header:
    """Properties in a picture's header that decide how it is decoded."""

    size: tuple[int, int]
    """Height and width, upright."""
    grey: bool
    turned: bool
    transparent: bool
    deep: bool
    """True if it has 16 bits a channel."""
    several: bool
    """True if it has more than one frame or page."""
    cmyk: bool
    extra: bool
    """True if it has more channels than are read."""


def header(path: Path) -> Header:
    """Read a header, and pixels only where the file seems to be cut off.

    Raises UnreadablePicture naming a picture that is none.
    """
    try:
        refuse_special(path)
        with path.open("rb") as file, Image.open(file, formats=_formats()) as picture:
            if is_deep(picture):
                _brightest(picture)
            if not has_end(picture, file):
                with _alone_if_large(picture):
                    picture.load()
            turn = _orientation(picture)
            width, height = _stored_size(picture)
            return Header(
                size=(width, height) if turn in _SIDEWAYS else (height, width),
                grey=is_grey(picture),
                turned=turn != 1,
                transparent=picture.has_transparency_data,
                deep=picture.mode.startswith("I") or "16" in _stored_mode(picture),
                # a telephone's MPO is one picture with previews or another angle
                several=picture.format != "MPO" and getattr(picture, "is_animated", False),
                cmyk=picture.mode == "CMYK",
                extra=_stored_mode(picture).startswith("RGBX"),
            )
    except Exception as error:  # Pillow's readers raise all kinds at malformed files
        raise unreadable(path, error) from None


def is_deep(picture: Image.Image) -> bool:
    """Return whether a picture has more than 8 bits a pixel, of grey."""
    return picture.mode.startswith("I") or picture.mode == "F"


def is_grey(picture: Image.Image) -> bool:
    """Return whether a picture has one channel, beside its transparency."""
    return picture.mode[0] in "1LIF" and picture.mode != "LAB"


@contextlib.contextmanager
def _open(given: Given) -> Any:
    """Open a picture, and close it unless it was given open."""
    if isinstance(given, Image.Image):
        yield given
    else:
        if isinstance(given, Path | str):
            refuse_special(given)
        with Image.open(given, formats=_formats()) as picture:
            yield picture


@functools.cache
def _formats() -> tuple[str, ...]:
    """Return the formats to read, as far as this build of Pillow knows them."""
    Image.init()
    return tuple(it for it in _FORMATS if it in Image.OPEN)


@contextlib.contextmanager
def _alone_if_large(picture: Image.Image) -> Iterator[None]:
    """Wait until no other thread decodes a large picture, if this is one: memory is bounded."""
    with _one_at_a_time if picture.width * picture.height > _LARGE else contextlib.nullcontext():
        yield


def _flatten(picture: Image.Image) -> Image.Image:
    """Return the picture upright, in L or RGB."""
    deep = is_deep(picture)
    most = _brightest(picture) if deep else 255
    picture.load()
    turn = _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    upright = picture if turn is None else picture.transpose(turn)
    if deep:
        return _from_16_bits(upright, most)
    if upright.has_transparency_data:
        return _on_white(upright)
    return _convert(upright, "L" if is_grey(upright) else "RGB")


def _convert(picture: Image.Image, mode: str) -> Image.Image:
    """Convert a picture to a mode, without a copy if it has it."""
    return picture if picture.mode == mode else picture.convert(mode)


def _brightest(picture: Image.Image) -> int:
    """Return the value of white in a picture of more than 8 bits. Raises Refused if unknown."""
    if picture.mode.startswith("I;16"):
        bits = getattr(picture, "tag_v2", {}).get(_TIFF_BITS, (16,))[0]
        return int(2**bits - 1)
    if picture.mode == "I" and picture.format in ("PNG", "PPM"):  # 16 bits to these formats
        return 2**16 - 1
    raise Refused("it has 32 bits a pixel, whose range is not known; save it with 8 or 16")


def _from_16_bits(picture: Image.Image, most: int) -> Image.Image:
    """Scale grey of 16 bits to 8, rounded; Pillow would clip it at 255."""
    values = np.asarray(picture).astype(np.int64)
    if values.min() < 0 or values.max() > most:
        raise Refused(f"it has values below 0 or above {most}, which is white")
    bytes_ = ((values * 255 + most // 2) // most).astype(np.uint8)
    if (clear := picture.info.get("transparency")) is not None:
        bytes_[values == clear] = 255
    return Image.fromarray(bytes_)


def _on_white(picture: Image.Image) -> Image.Image:
    """Put a picture on a white background. Raises Refused for one that is invisible on it."""
    drawn = picture.convert("RGBA")
    white = Image.new("RGBA", drawn.size, "white")
    flat = Image.alpha_composite(white, drawn).convert("RGB")
    alpha = np.asarray(drawn.getchannel("A"))
    if alpha.min() < alpha.max() and np.asarray(flat).min() == 255:
        raise Refused(
            "what it shows is white on transparent, and transparent becomes white; save it on a "
            "dark background"
        )
    return flat.convert("L") if is_grey(picture) else flat


def _stored_size(picture: Image.Image) -> tuple[int, int]:
    """Return width and height before rotation; for a TIFF, Pillow gives those after it."""
    tags = getattr(picture, "tag_v2", {})
    return tags.get(_TIFF_WIDTH, picture.width), tags.get(_TIFF_HEIGHT, picture.height)


def _stored_mode(picture: Image.Image) -> str:
    """Return the mode in the file, such as RGB;16B, of which Pillow keeps 8 bits."""
    tile = getattr(picture, "tile", None)
    arguments = tile[0][3] if tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation, from 1 to 8; 1 is upright."""
    # Of a PNG, its own `getexif` decodes all pixels, as EXIF may stand behind them.
    found = Image.Image.getexif(picture).get(ExifTags.Base.Orientation, 1)
    return found if found in range(2, 9) else 1
