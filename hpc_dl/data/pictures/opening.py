"""Opening of pictures by Pillow: known formats of regular files alone, large ones one at a time.
Light."""

from __future__ import annotations

import contextlib
import functools
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from PIL import Image

from hpc_dl.data.pictures.broken import refuse_special

Given = Path | str | IO[bytes] | Image.Image

_FORMATS = ("PNG", "JPEG", "MPO", "TIFF", "BMP", "GIF", "WEBP", "PPM", "AVIF", "JPEG2000")
"""Formats that are read. Pillow knows others, of which one runs programs (EPS), and some are found
in any bytes (TGA)."""
_LARGE = 2**24
"""Pixels beyond which a process decodes one picture at a time, whatever its threads."""
_one_at_a_time = threading.Lock()

# It warns of odd metadata, in a line for each picture; what matters is an error here.
warnings.filterwarnings("ignore", module=r"PIL\.")


@contextlib.contextmanager
def opened(given: Given) -> Iterator[Image.Image]:
    """Open a picture, and close it unless it was given open."""
    if isinstance(given, Image.Image):
        yield given
    else:
        if isinstance(given, Path | str):
            refuse_special(given)
        with Image.open(given, formats=formats()) as picture:
            yield picture


@functools.cache
def formats() -> tuple[str, ...]:
    """Return the formats to read, as far as this build of Pillow knows them."""
    Image.init()
    return tuple(it for it in _FORMATS if it in Image.OPEN)


@contextlib.contextmanager
def alone_if_large(picture: Image.Image) -> Iterator[None]:
    """Wait until no other thread decodes a large picture, if this is one: memory is bounded."""
    with _one_at_a_time if picture.width * picture.height > _LARGE else contextlib.nullcontext():
        yield
