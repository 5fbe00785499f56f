"""The way by which all of hpc_dl gets torchvision, also beside a torch that it was not built for.

The registry's torchvision is linked to CUDA; beside a CPU build of torch its compiled operators do
not load, and its import fails with `operator torchvision::nms does not exist`, though datasets and
transforms need none of them. Declaring the two operators that it registers for lets it import.
"""

from __future__ import annotations

import importlib
from types import ModuleType

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_library: torch.library.Library | None = None
"""Kept: the operators live as long as it does."""


def torchvision(module: str = "") -> ModuleType:
    """torchvision, or a module of it: `torchvision("datasets")`."""
    global _library  # noqa: PLW0603
    name = f"torchvision.{module}" if module else "torchvision"
    try:
        return importlib.import_module(name)
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    _library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        _library.define(schema)
    return importlib.import_module(name)
