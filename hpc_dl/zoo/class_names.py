"""The names of predicted classes, beside their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from hpc_dl.jobspec.data import DataFacts

Strings = np.ndarray[tuple[int, ...], np.dtype[np.str_]]


def class_names(outputs: Mapping[str, Any], facts: DataFacts) -> dict[str, Strings]:
    """`class`, (N,) strings, where the outputs have a `label`, (N,) integers; else nothing."""
    label = outputs.get("label")
    if not facts.classes or not isinstance(label, Tensor) or "class" in outputs:
        return {}
    if label.ndim != 1 or label.is_floating_point():
        return {}
    numbers = label.cpu().numpy()
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(facts.classes):
        return {}
    return {"class": np.array(facts.classes)[numbers]}
