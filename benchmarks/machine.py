"""The machine and the versions that a result was measured with."""

from __future__ import annotations

import os
import platform
from importlib import metadata

import psutil
import torch

from hpc_dl.submission import hpcdl_code
from hpc_dl.train.environment import environment

PACKAGES = ("torch", "torch_geometric", "accelerate", "lightning", "transformers", "mlflow")


def describe() -> dict[str, object]:
    """Return the processor, its cores, versions, and at which priority this runs."""
    found = environment(torch.device("cpu"))
    return {
        "cpu": found["cpu"],
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": platform.platform(),
        "python": platform.python_version(),
        "hpcdl": str(hpcdl_code.current()),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "nice": os.nice(0),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
