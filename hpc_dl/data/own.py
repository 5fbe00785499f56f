"""A user's own source: a function that returns tensors.

    def my_dataset(**options):
        return {"train": {"image": images, "label": labels}, "test": {...}, "classes": names}

`image` is (N, C, H, W), uint8 or float in [0, 1]; `label` (N,) integers; `validation`, `test` and
`classes` may be left out. Options are what the spec says beside the keys of every source.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hpc_dl.data import counts
from hpc_dl.data.split import Split, Splits, Tensors, divide
from hpc_dl.errors import UserError
from hpc_dl.imports import load_object
from hpc_dl.spec.data import DataFacts, OwnData

TEST = 0.1
"""Share of the examples for the test, where the function gives no test split."""
IMAGE_AXES = 4


def load(source: OwnData, code: Path, seed: int) -> Splits:
    """Call the user's function and divide what it does not divide itself.

    Raises UserError, naming the function, for tensors that are not as described above.
    """
    said = load_object(source.name, code)(**source.options)
    if not isinstance(said, Mapping) or "train" not in said:
        raise UserError(f"{source.name} has to return a mapping with 'train'")
    names = ("train", "validation", "test")
    given = {n: _checked(said[n], f"{source.name}: {n}") for n in names if n in said}
    splits = _divide(source, given, seed)
    labels = torch.cat([tensors["label"] for tensors in given.values()])
    classes = tuple(map(str, said.get("classes", range(int(labels.max()) + 1))))
    if int(labels.max()) >= len(classes):
        raise UserError(f"{source.name}: label {int(labels.max())} with {len(classes)} classes")
    shape = tuple(given["train"]["image"].shape[1:])
    sizes = (len(part) for part in splits)
    return Splits(DataFacts("image", "classify", shape, classes, *sizes), *splits)


def _divide(source: OwnData, given: dict[str, Tensors], seed: int) -> tuple[Split, Split, Split]:
    examples = len(given["train"]["label"])
    share = source.validation
    if "test" not in given and "validation" not in given:
        train, validation, test = divide(
            given["train"], counts.three_ways(examples, share, TEST), seed
        )
        return train, validation, test
    if "validation" in given:
        train, validation = Split(given["train"]), Split(given["validation"])
    else:
        train, validation = divide(given["train"], counts.two_ways(examples, share), seed)
    return train, validation, Split(given["test"]) if "test" in given else validation


def _checked(tensors: Any, where: str) -> Tensors:
    if not isinstance(tensors, Mapping) or set(tensors) != {"image", "label"}:
        raise UserError(f"{where} has to be a mapping of 'image' and 'label'")
    image, label = (torch.as_tensor(tensors[name]) for name in ("image", "label"))
    if image.ndim != IMAGE_AXES:
        raise UserError(f"{where}: image is {tuple(image.shape)}, but has to be (N, C, H, W)")
    if label.ndim != 1 or len(label) != len(image) or label.is_floating_point():
        raise UserError(
            f"{where}: label is {tuple(label.shape)} {label.dtype}, but has to be "
            f"{len(image)} integers"
        )
    if image.dtype != torch.uint8 and not image.is_floating_point():
        raise UserError(f"{where}: image is {image.dtype}, but has to be uint8 or floats")
    if not torch.isfinite(image.float()).all():
        raise UserError(f"{where}: image holds numbers that are not finite")
    return {
        "image": image if image.dtype == torch.uint8 else image.float(),
        "label": label.long(),
    }
