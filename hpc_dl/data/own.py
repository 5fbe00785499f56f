"""A user's own source: a function that returns tensors.

    def my_dataset(**options):
        return {"train": {"image": images, "label": labels}, "test": {...}, "classes": names}

`image` is (N, C, H, W), uint8 or float in [0, 1]; `label` (N,) integers from 0; `validation`,
`test` and `classes` may be left out, and missing splits are taken from `train` by the seed.
Options are what the spec says beside the keys of every source. The function runs on every rank
and at submission, and has to return the same each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hpc_dl.data.counts import split_counts
from hpc_dl.data.split import Tensors
from hpc_dl.errors import UserError
from hpc_dl.imports import load_object
from hpc_dl.spec.data import DataFacts
from hpc_dl.spec.sources import OwnData

TEST = 0.1
"""Share of the examples for the test, where the function gives no test split."""
IMAGE_AXES = 4


def load(source: OwnData, code: Path) -> tuple[DataFacts, dict[str, Tensors]]:
    """Call the user's function: what is known of its examples, and the splits that it gives.

    Raises UserError, naming the function, for tensors that are not as described above.
    """
    said = load_object(source.name, code)(**source.options)
    if not isinstance(said, Mapping) or "train" not in said:
        raise UserError(f"{source.name} has to return a mapping with 'train'")
    splits = ("train", "validation", "test")
    given = {
        name: _checked(said[name], f"{source.name}: {name}") for name in splits if name in said
    }
    shapes = {tuple(tensors["image"].shape[1:]) for tensors in given.values()}
    if len(shapes) > 1:
        raise UserError(f"{source.name}: the splits' images differ in shape: {sorted(shapes)}")
    last = max(int(tensors["label"].max()) for tensors in given.values())
    classes = tuple(map(str, said.get("classes", range(last + 1))))
    if last >= len(classes):
        raise UserError(f"{source.name}: label {last} with {len(classes)} classes")
    there = {name: len(tensors["label"]) for name, tensors in given.items()}
    sizes = split_counts(there, source.validation, TEST)
    return DataFacts("image", "classify", shapes.pop(), classes, *sizes), given


def _checked(tensors: Any, where: str) -> Tensors:
    """A split as the rest of hpcdl wants it."""
    if not isinstance(tensors, Mapping) or set(tensors) != {"image", "label"}:
        raise UserError(f"{where} has to be a mapping of 'image' and 'label'")
    image, label = (_tensor(tensors[name], f"{where}: {name}") for name in ("image", "label"))
    if image.ndim != IMAGE_AXES or not image.numel():
        raise UserError(f"{where}: image is {tuple(image.shape)}, but has to be (N, C, H, W)")
    if label.ndim != 1 or len(label) != len(image) or label.is_floating_point():
        raise UserError(
            f"{where}: label is {tuple(label.shape)} {label.dtype}, but has to be "
            f"{len(image)} integers"
        )
    if label.min() < 0:
        raise UserError(f"{where}: label {int(label.min())}, but classes count from 0")
    return {"image": _pixels(image, where), "label": label.long()}


def _tensor(value: Any, where: str) -> Tensor:
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{where} is no tensor or array: {error}") from None


def _pixels(image: Tensor, where: str) -> Tensor:
    if image.dtype == torch.uint8:
        return image
    if not image.is_floating_point():
        raise UserError(f"{where}: image is {image.dtype}, but has to be uint8 or floats")
    low, high = image.min().item(), image.max().item()
    if not (low >= 0 and high <= 1):  # so written that NaN, too, is refused
        raise UserError(
            f"{where}: image goes from {low:g} to {high:g}, but floats have to lie in [0, 1]",
            hint="Scale them, or return bytes (uint8).",
        )
    return image.float()
