"""Check of torch: its build for CUDA against the driver of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpc_dl.doctor import child
from hpc_dl.doctor.finding import Problem, Result, when

SECONDS = 120.0
"""Time-out; from a busy file system the import takes a while."""
SLOW_SECONDS = 60.0
OLDEST_DRIVERS = {11: 450, 12: 525, 13: 580}
"""By CUDA's major version, the first driver that runs a build of it (NVIDIA's "minor version
compatibility": docs.nvidia.com/deploy/cuda-compatibility)."""


def examine(gpus_on_nodes: bool) -> Result:
    """Check torch on this machine, where `gpus_on_nodes` tells whether Slurm hands out GPUs."""
    found = child.ask("hpc_dl.doctor.torch_trial", seconds=SECONDS, who="torch")
    gpus = ", ".join(found["gpus"])
    return Result(
        f"{build(found)}; {gpus or 'no GPU is usable here'}",
        [
            *problems(found, wants_gpus=gpus_on_nodes),
            *when(
                found["seconds"] > SLOW_SECONDS,
                "warning",
                f"its import took {found['seconds']:.0f} s",
                "Is its environment on a file system that is made for many small files?",
            ),
        ],
    )


def build(found: Mapping[str, Any]) -> str:
    """Return version and build of torch, and the driver, if there is one."""
    target = f"CUDA {found['cuda']}" if found["cuda"] else None
    target = target or (f"ROCm {found['hip']}" if found["hip"] else "CPUs alone")
    driver = f", the driver knows CUDA {found['driver_cuda']}" if found["driver_cuda"] else ""
    return f"torch {found['torch']} for {target}{driver}"


def problems(found: Mapping[str, Any], *, wants_gpus: bool) -> list[Problem]:
    """Return why torch would use no GPU of this machine, or of nodes with GPUs."""
    if not found["cuda"]:
        return when(
            wants_gpus and not found["hip"],
            "warning",
            "this build of torch uses no GPUs: jobs that ask for some will fail",
            "Install torch for CUDA: https://pytorch.org/get-started/locally tells the command.",
        )
    wanted, driver = _major(found["cuda"]), _major(found["driver_cuda"] or "0")
    oldest = OLDEST_DRIVERS.get(wanted)
    needs = f", which needs driver {oldest} or newer" if oldest else ""
    if driver and driver < wanted:
        return [
            Problem(
                "fault",
                f"the driver is too old for a build for CUDA {found['cuda']}{needs}",
                f"Install a build of torch for CUDA {driver}, or ask for a newer driver.",
            )
        ]
    return when(
        wants_gpus and driver and not found["gpus"],
        "fault",
        f"there is a driver, but torch sees no GPU: {'; '.join(found['warnings']) or 'no reason'}",
        "Does `nvidia-smi` show one, and is CUDA_VISIBLE_DEVICES unset?",
    )


def _major(version: str) -> int:
    return int(version.partition(".")[0])
