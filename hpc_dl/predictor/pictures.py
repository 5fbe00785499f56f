"""Pictures as a network takes them: (N, C, H, W) floats in [0, 1], from files, PIL or arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hpc_dl.data.faults import Faults, resolve_home
from hpc_dl.data.pictures.decoding import decode
from hpc_dl.errors import UserError
from hpc_dl.predictor.arrays import Array, array
from hpc_dl.predictor.numbers import wrong_axes

LAYOUTS = ("NCHW", "CHW", "NHWC", "HWC", "NHW", "HW")
"""Accepted layouts of arrays, the first that fits being taken; without C the pictures are grey.
Channels first is documented, so 3 x 3 x 3 is read so."""


def images(given: Any, shape: Sequence[int], *, resized: bool) -> Array:
    """Return pictures of `shape`, (C, H, W): bytes divided by 255, floats as they are.

    If `resized`, files and PIL's pictures may be of any size, as for the training.
    """
    several = _listed(given)
    to_decode = [_is_picture(it) for it in several]
    if not any(to_decode):
        return _from_array(array(given, "image"), shape)
    if not all(to_decode):
        raise UserError(
            f"image is {type(several[to_decode.index(False)]).__name__} beside pictures",
            hint="Give pictures and paths alone, or arrays alone.",
        )
    found, faults = [], Faults("image")
    for it in several:
        with faults.collect():
            found.append(_decoded(it, shape, resized=resized))
    faults.refuse()
    return _as_floats(np.stack(found))


def _listed(given: Any) -> list[Any]:
    """Return a list of what is given: several pictures, paths in an array or a column, or one."""
    column = given.to_numpy() if hasattr(given, "to_numpy") else given
    if isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind in "OTU":
        return list(column)
    return list(given) if isinstance(given, list | tuple) else [given]


def _is_picture(given: Any) -> bool:
    return isinstance(given, Image.Image | str | os.PathLike)


def _decoded(given: Any, shape: Sequence[int], *, resized: bool) -> Array:
    """Decode one picture as those of the training: (C, H, W) bytes."""
    channels, height, width = shape
    if channels not in (1, 3):
        raise UserError(f"image: the network takes {channels} channels", hint="Give arrays.")
    if isinstance(given, str | os.PathLike):
        given = resolve_home("image", os.fspath(given))
        if given.is_dir():
            raise UserError(
                f"image: {given} is a folder",
                hint="Give its pictures: sorted(Path(FOLDER).glob('*.png')).",
            )
        if not given.is_file():
            raise UserError(f"image: there is no file {given}")
    pixels = decode(given, channels, (height, width) if resized else None)
    if pixels.shape[1:] != (height, width):
        name = f"image: {given}" if isinstance(given, Path) else "image"
        raise UserError(
            f"{name} has {_by(pixels.shape[1:])} pixels, height x width, but has to have "
            f"{_by((height, width))}",
            hint="Resize it as you resized those that the network was trained on.",
        )
    return pixels


def _by(sides: Sequence[int]) -> str:
    return " x ".join(map(str, sides))


def _from_array(found: Array, shape: Sequence[int]) -> Array:
    if found.dtype.kind in "iu" and found.dtype != np.uint8:
        raise UserError(
            f"image is {found.dtype}, but has to be uint8, from 0 to 255, or floats in [0, 1]",
            hint="If its values are those of bytes: x.astype('uint8').",
        )
    if found.dtype == np.uint8 and found.size and found.max() == 1:
        raise UserError(
            "image has no bytes but 0 and 1, which are almost black: white is 255",
            hint="If they are truth values: x.astype(bool).",
        )
    laid = _channels_first(found, shape)
    return _as_floats(laid) if laid.dtype == np.uint8 else laid


def _channels_first(found: Array, shape: Sequence[int]) -> Array:
    """Return the array as (N, C, H, W); the layout follows from the sizes."""
    sizes = dict(zip("CHW", shape, strict=True))
    for layout in LAYOUTS:
        known = len(layout) == found.ndim and ("C" in layout or sizes["C"] == 1)
        axes = zip(layout, found.shape, strict=False)
        if known and all(sizes.get(axis, there) == there for axis, there in axes):
            break
    else:
        raise wrong_axes(found, "image", [-1, *shape], _HINT)
    if layout.endswith("C"):
        found = np.moveaxis(found, -1, -3)
    elif "C" not in layout:
        found = np.expand_dims(found, -3)
    return found if layout.startswith("N") else found[None]


_HINT = "Channels may be the last axis, too; one picture needs no N."


def _as_floats(pixels: Array) -> Array:
    floats: Array = pixels.astype(np.float32) / np.float32(255)
    return floats
