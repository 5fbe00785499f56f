"""The machine under check: its GPUs, or CPUs in their place, to try the checks themselves.

`HPCDL_CHECK_ON=cpu` chooses the latter, where "GPU" means a rank on a CPU, and NCCL means gloo.
"""

import os
import shutil
import subprocess
from typing import Any

import torch

from hpc_dl.train.environment import packages

ON_CPU = os.environ.get("HPCDL_CHECK_ON") == "cpu"
KIND = "cpu" if ON_CPU else "cuda"
LIBRARIES = ("torch", "torchvision", "accelerate", "submitit", "torchmetrics", "mlflow")


class Skipped(Exception):
    """A check that this machine has not got what it takes for."""


def has_gpus() -> bool:
    """Whether there is anything to check on."""
    return ON_CPU or torch.cuda.is_available()


def gpus() -> int:
    """GPUs of this machine."""
    return 2 if ON_CPU else torch.cuda.device_count()


def needs(count: int) -> None:
    """Skip the check where the machine has fewer GPUs."""
    if gpus() < count:
        raise Skipped(f"needs {count} GPUs; this machine has {gpus()}")


def device(number: int = 0) -> torch.device:
    """A GPU by its number."""
    return torch.device("cpu") if ON_CPU else torch.device("cuda", number)


def described() -> dict[str, Any]:
    """Versions, GPUs with their UUIDs, and how these are connected."""
    versions = packages()
    found: dict[str, Any] = {
        "device": "CPU" if ON_CPU else torch.cuda.get_device_name(0),
        "gpus": gpus(),
        "versions": {name: versions.get(name) for name in LIBRARIES},
        "cuda": torch.version.cuda,
    }
    if ON_CPU:
        return found
    properties = [torch.cuda.get_device_properties(number) for number in range(gpus())]
    return found | {
        "uuids": [str(it.uuid) for it in properties],
        "memory": [it.total_memory for it in properties],
        "cudnn": torch.backends.cudnn.version(),
        "nccl": ".".join(map(str, torch.cuda.nccl.version())),
        "driver": _said_by("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
        "topology": _said_by("nvidia-smi", "topo", "-m"),
    }


def _said_by(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return f"no {command[0]}"
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return (done.stdout or done.stderr).strip()
