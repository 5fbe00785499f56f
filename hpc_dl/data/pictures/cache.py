"""Cache of decoded pictures: rank 0 fills it, the others and later runs read it."""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from hpc_dl.data import checked_files
from hpc_dl.data.class_folders.scan import Found
from hpc_dl.data.dataset import Tensors
from hpc_dl.data.pictures import broken, decoding, header
from hpc_dl.data.pictures.broken import UnreadablePicture
from hpc_dl.data.pictures.decoding import Pixels
from hpc_dl.jobspec.sources.image_folder import ImageFolder


def load(source: ImageFolder, found: Found, cache: Path) -> dict[str, Tensors]:
    """Return the pictures of each split as bytes, from `cache` or decoded into it.

    Raises UserError naming all pictures that cannot be read.
    """
    bad: list[UnreadablePicture] = []
    images = {name: _cached(source, it, cache, bad) for name, it in found.files.items()}
    broken.refuse(bad, f"{len(found.paths)} pictures", Path(source.root).expanduser(), cache)
    return {
        name: {
            "image": torch.from_numpy(images[name]),
            "label": torch.tensor([number for _, number in pictures]),
        }
        for name, pictures in found.files.items()
    }


def check_headers(source: ImageFolder, found: Found, cache: Path) -> None:
    """Check the header and the end of every picture, once; `cache` records which are checked.

    Raises UserError naming all that are not whole pictures.
    """
    many, root = f"{len(found.paths)} pictures", Path(source.root).expanduser()
    checked_files.check_once(
        lambda: header.read_all(found.paths, many, root, cache),
        f"{decoding.RULE} headers and ends",
        found.paths,
        cache,
    )


def _cached(
    source: ImageFolder, pictures: list[tuple[Path, int]], cache: Path, bad: list[UnreadablePicture]
) -> Pixels:
    """Return decoded pictures, (N, C, H, W), cached under a name that changes with any file.

    Those that cannot be read are added to `bad`, and nothing is cached.
    """
    way = repr((source.size, source.channels))
    digest = checked_files.digest(f"{decoding.RULE} {way}", [path for path, _ in pictures])
    file = cache / f"{digest}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):  # absent, or damaged by a crash
        kept: Pixels = np.load(file, allow_pickle=False)
        return kept
    images = np.empty((len(pictures), source.channels, *source.size), np.uint8)
    before = len(bad)
    with ThreadPoolExecutor() as pool:  # Pillow decodes and resizes without holding the lock
        every = pool.map(lambda it: _try_decode(it[0], source), pictures)
        for number, pixels in enumerate(every):
            if isinstance(pixels, UnreadablePicture):
                bad.append(pixels)
            else:
                images[number] = pixels
    if len(bad) == before:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs only time
            _write(file, images)
    return images


def _try_decode(path: Path, source: ImageFolder) -> Pixels | UnreadablePicture:
    try:
        return decode(path, source)
    except UnreadablePicture as error:
        return error


def _write(file: Path, images: Pixels) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as handle:
            np.save(handle, images)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def decode(path: Path | str, source: ImageFolder) -> Pixels:
    """Decode a picture as (C, H, W) bytes. Raises UserError naming one that cannot be read."""
    return decoding.decode(path, source.channels, source.size)
