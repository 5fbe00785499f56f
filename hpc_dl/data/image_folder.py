"""A user's own pictures as tensors: decoded once by rank 0, cached for the others and for later."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from hpc_dl.data import folders
from hpc_dl.data.split import Split, Splits, Tensors, divide
from hpc_dl.errors import UserError
from hpc_dl.spec.data import DataFacts, ImageFolder

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def load(source: ImageFolder, facts: DataFacts, cache: Path, seed: int) -> Splits:
    """The folder's pictures as bytes. Raises UserError naming a picture that cannot be read."""
    found = folders.scan(source)
    tensors = {name: _cached(source, items, cache) for name, items in found.pictures.items()}
    asked = folders.split_counts(source, found)
    if len(tensors) == 1:
        return Splits(facts, *divide(tensors["train"], asked, seed))
    if "validation" in tensors:
        train, validation = Split(tensors["train"]), Split(tensors["validation"])
    else:
        train, validation = divide(tensors["train"], asked[:2], seed)
    test = Split(tensors["test"]) if "test" in tensors else validation
    return Splits(facts, train, validation, test)


def _cached(source: ImageFolder, items: list[tuple[Path, int]], cache: Path) -> Tensors:
    """Decoded pictures under a name that changes with any of them, or with how they are read."""
    digest = hashlib.sha256(repr((source.size, source.channels)).encode())
    for path, number in items:
        state = path.stat()
        digest.update(repr((str(path), number, state.st_size, state.st_mtime_ns)).encode())
    file = cache / f"{digest.hexdigest()[:32]}.npy"
    if file.is_file():
        images = np.load(file, allow_pickle=False)
    else:
        images = np.stack([_decode(path, source) for path, _ in items])
        with contextlib.suppress(OSError):  # a cache that cannot be written costs only time
            _write(file, images)
    labels = torch.tensor([number for _, number in items])
    return {"image": torch.from_numpy(images), "label": labels}


def _write(file: Path, images: Pixels) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as handle:
        np.save(handle, images)
    temporary.replace(file)


def _decode(path: Path, source: ImageFolder) -> Pixels:
    """One picture as (C, H, W) bytes."""
    height, width = source.size
    try:
        with Image.open(path) as picture:
            grey = picture.convert("L" if source.channels == 1 else "RGB")
            pixels = np.asarray(grey.resize((width, height), Image.Resampling.BILINEAR))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise UserError(
            f"{path} is not a readable picture: {error}", hint="Remove or replace it."
        ) from None
    return pixels[None] if source.channels == 1 else pixels.transpose(2, 0, 1)
