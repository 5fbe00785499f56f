"""Pictures and classes read from torchvision's data sets, all faults of a set at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hpc_dl.data.class_folders.walk import special
from hpc_dl.data.faults import Faults
from hpc_dl.data.pictures.broken import UnreadablePicture, unreadable
from hpc_dl.data.pictures.decoding import decode, is_grey
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.torchvision import TorchVision

Read = tuple[list[Tensor], list[int]]
"""Pictures, (C, H, W) bytes each, and their classes."""


def read(dataset: Any, source: TorchVision, where: str) -> Read:
    """Return all pictures of a data set and their classes.

    Raises UserError naming those that cannot be read, or if it has anything else.
    """
    _refuse_special(dataset, where)
    images, labels, faults = [], [], Faults(f"data.name: {where}")
    for number in range(len(dataset)):
        try:
            picture, label = dataset[number]
        except Exception as error:  # of Pillow, or of the data set's own reader
            faults.add(*_explain(dataset, number, error))
            continue
        if not isinstance(picture, Image.Image) or not isinstance(label, int | np.integer):
            raise UserError(f"{where} is not of pictures with one class each")
        try:
            pixels = decode(picture, 1 if is_grey(picture) else 3, source.size)
        except UnreadablePicture as error:
            faults.add(error.why, [f"picture {number}"])
            continue
        images.append(torch.from_numpy(pixels).contiguous())
        labels.append(int(label))
    faults.refuse()
    if not images:
        raise UserError(f"{where} has no picture")
    return images, labels


def _explain(dataset: Any, number: int, error: Exception) -> tuple[str, list[str], str]:
    """Return why a picture cannot be read, which it is, and what to do."""
    files = [it[0] for it in getattr(dataset, "samples", ())]
    if number < len(files) and isinstance(error, OSError | SyntaxError):  # Pillow's
        found = unreadable(files[number], error)
        return found.why, [found.name], found.hint
    return "pictures that cannot be read", [f"{number} ({error})"], ""


def _refuse_special(dataset: Any, where: str) -> None:
    """Raise UserError for named pipes and the like among the files of a folder."""
    faults = Faults(f"data.root: {where}")
    for path, *_ in getattr(dataset, "samples", ()):
        if isinstance(path, str) and (what := special(path)):
            faults.add(what, [path])
    faults.refuse()


def with_as_many_channels(
    read: Mapping[str, Read],
) -> tuple[dict[str, dict[str, Tensor]], tuple[str, ...]]:
    """Return bytes (N, C, H, W) and classes (N,) of each split; all in RGB where one picture is.

    Raises UserError for pictures of several sizes.
    """
    channels = [len(image) for images, _ in read.values() for image in images]
    most, grey = max(channels), channels.count(1)
    given: dict[str, dict[str, Tensor]] = {}
    for name, (images, labels) in read.items():
        alike = [image.expand(most, -1, -1) for image in images]
        if len(shapes := {tuple(image.shape) for image in alike}) > 1:
            raise mixed(name, shapes)
        given[name] = {"image": torch.stack(alike), "label": torch.tensor(labels)}
    note = f"{grey} of {len(channels)} pictures are grey, and become RGB"
    return given, (note,) if most > 1 and grey else ()


def mixed(where: str, shapes: set[tuple[int, ...]]) -> UserError:
    some = ", ".join(map(str, sorted(shapes)[:4]))
    return UserError(
        f"data.name: pictures of {where} are of mixed sizes: {some}",
        hint="Give the height and width to resize to: data.size: [64, 64].",
    )
