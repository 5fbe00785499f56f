"""Decoding of pictures: upright, on white where they are transparent, 8 bits a channel.

All that reads pictures decodes them here, so that training, held in memory or streamed, and
prediction see the same pixels. Light: without torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import ExifTags, Image

from hpc_dl.data.pictures.broken import Refused, unreadable
from hpc_dl.data.pictures.opening import Given, alone_if_large, opened

RULE = 2
"""Version of the decoding, part of the cache's names: raise it with every change that gives other
bytes for the same file."""

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

_TIFF_BITS = 258
"""TIFF's tag."""
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


def decode(given: Given, channels: int, size: Sequence[int] | None = None) -> Pixels:
    """Decode a picture as (C, H, W) bytes, grey or RGB, resized to (height, width).

    Raises UnreadablePicture naming one that cannot be read.
    """
    try:
        with opened(given) as picture, alone_if_large(picture):
            flat = _convert(_flatten(picture), "L" if channels == 1 else "RGB")
            if size is not None:
                flat = flat.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            pixels = np.array(flat)
    except Exception as error:  # Pillow's readers raise all kinds at malformed files
        raise unreadable(given, error) from None
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def is_deep(picture: Image.Image) -> bool:
    """Return whether a picture has more than 8 bits a pixel, of grey."""
    return picture.mode.startswith("I") or picture.mode == "F"


def is_grey(picture: Image.Image) -> bool:
    """Return whether a picture has one channel, beside its transparency."""
    return picture.mode[0] in "1LIF" and picture.mode != "LAB"


def _flatten(picture: Image.Image) -> Image.Image:
    """Return the picture upright, in L or RGB."""
    deep = is_deep(picture)
    most = brightest(picture) if deep else 255
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


def brightest(picture: Image.Image) -> int:
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
