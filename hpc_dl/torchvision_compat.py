"""The way by which all of hpc_dl gets torchvision, also beside a torch that it was not built for.

The registry's torchvision is linked to CUDA; beside a CPU build of torch its compiled operators do
not load, and its import fails with `operator torchvision::nms does not exist`, though datasets and
transforms need none of them. Declaring the two operators that it registers for lets it import.
"""

from __future__ import annotations

import functools
import importlib
import sys
from types import ModuleType

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def torchvision(module: str = "") -> ModuleType:
    """torchvision, or a module of it: `torchvision("datasets")`."""
    name = f"torchvision.{module}" if module else "torchvision"
    try:
        return importlib.import_module(name)
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    _declare_operators()
    # What the failed import has left would be taken for imported, though no package has it.
    for loaded in [key for key in sys.modules if key.partition(".")[0] == "torchvision"]:
        del sys.modules[loaded]
    return importlib.import_module(name)


@functools.cache  # the operators live as long as the library that is returned
def _declare_operators() -> torch.library.Library:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        library.define(schema)
    return library
