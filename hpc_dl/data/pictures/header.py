"""Headers of pictures: what they say of the decoding, without it. Light."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image

from hpc_dl.data.pictures import broken
from hpc_dl.data.pictures.broken import UnreadablePicture, refuse_special, unreadable
from hpc_dl.data.pictures.decoding import brightest, is_deep, is_grey
from hpc_dl.data.pictures.file_ends import has_end
from hpc_dl.data.pictures.opening import alone_if_large, formats

_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
"""TIFF's tags."""
_SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that swap height and width."""


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
        with path.open("rb") as file, Image.open(file, formats=formats()) as picture:
            if is_deep(picture):
                brightest(picture)
            if not has_end(picture, file):
                with alone_if_large(picture):
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


def read_all(paths: Sequence[Path], many: str, root: Path, cache: Path) -> list[Header]:
    """Read the headers of pictures, of which there are so `many` in words.

    Raises UserError naming those that cannot be read.
    """
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(_try_header, paths))
    broken.refuse([it for it in found if isinstance(it, UnreadablePicture)], many, root, cache)
    return [it for it in found if isinstance(it, Header)]


def _try_header(path: Path) -> Header | UnreadablePicture:
    try:
        return header(path)
    except UnreadablePicture as error:
        return error


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
