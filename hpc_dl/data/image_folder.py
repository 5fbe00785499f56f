"""A user's own pictures as tensors: decoded once by rank 0, cached for the others and for later."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from hpc_dl.data.folders import Found, Picture
from hpc_dl.data.split import Tensors
from hpc_dl.errors import UserError
from hpc_dl.spec.sources import ImageFolder

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def load(source: ImageFolder, found: Found, cache: Path) -> dict[str, Tensors]:
    """The pictures of each split as bytes; decoded ones are kept in `cache` if it can be written.

    Raises UserError naming a picture that cannot be read.
    """
    return {
        name: {
            "image": torch.from_numpy(_cached(source, pictures, cache)),
            "label": torch.tensor([number for _, number in pictures]),
        }
        for name, pictures in found.pictures.items()
    }


def check(found: Found, cache: Path) -> None:
    """Look at the header of every picture, once; that they are in order is noted in `cache`.

    Raises UserError naming a picture that is none.
    """
    paths = [path for pictures in found.pictures.values() for path, _ in pictures]
    names = hashlib.sha256("\0".join(map(str, paths)).encode()).hexdigest()[:32]
    noted = cache / f"{names}.checked"
    if noted.exists():
        return
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(_look_at, paths):
            pass
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        noted.touch()


def _look_at(path: Path) -> None:
    try:
        Image.open(path).close()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from None


def _cached(source: ImageFolder, pictures: list[Picture], cache: Path) -> Pixels:
    """Decoded pictures, (N, C, H, W), kept under a name that changes with any of them."""
    file = cache / f"{_digest(source, pictures)}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):  # absent, or damaged by a crash
        kept: Pixels = np.load(file, allow_pickle=False)
        return kept
    images = np.empty((len(pictures), source.channels, *source.size), np.uint8)
    with ThreadPoolExecutor() as pool:  # Pillow decodes and resizes without holding the lock
        for number, image in enumerate(pool.map(lambda it: decode(it[0], source), pictures)):
            images[number] = image
    with contextlib.suppress(OSError):  # a cache that cannot be written costs only time
        _write(file, images)
    return images


def _digest(source: ImageFolder, pictures: list[Picture]) -> str:
    """What tells these pictures, as they are now and read in this way, from all others."""
    digest = hashlib.sha256(repr((source.size, source.channels)).encode())
    for path, number in pictures:
        try:
            state = path.stat()
        except OSError as error:
            raise _unreadable(path, error) from None
        digest.update(repr((str(path), number, state.st_size, state.st_mtime_ns)).encode())
    return digest.hexdigest()[:32]


def _write(file: Path, images: Pixels) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as handle:
            np.save(handle, images)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def decode(path: Path, source: ImageFolder) -> Pixels:
    """One picture as (C, H, W) bytes. Raises UserError naming one that cannot be read."""
    with opened(path) as picture:
        return pixels(picture, source)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A picture in a file. Raises UserError naming one that cannot be read."""
    try:
        with Image.open(path) as picture:
            yield picture
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from None


def pixels(picture: Image.Image, source: ImageFolder) -> Pixels:
    """An open picture as (C, H, W) bytes. Raises ValueError for pixels of unknown range."""
    height, width = source.size
    flat = _as_bytes(picture).convert("L" if source.channels == 1 else "RGB")
    found = np.asarray(flat.resize((width, height), Image.Resampling.BILINEAR))
    return found[None] if source.channels == 1 else found.transpose(2, 0, 1)


def _as_bytes(picture: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8 bits, where Pillow would cut it off at 255."""
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise ValueError("it has 32 bits a pixel, whose range is not known; save it with 8 or 16")
    return picture


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} is not a readable picture: {error}", hint="Remove or replace it.")
