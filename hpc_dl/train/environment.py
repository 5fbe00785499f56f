"""Environment of a run: host, processor, GPU, Slurm ids and package versions."""

from __future__ import annotations

import functools
import os
import platform
import socket
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import Distribution, distributions
from pathlib import Path

import torch

from hpc_dl.submission import hpcdl_code


def environment(device: torch.device) -> dict[str, object]:
    """Return the environment of this rank as plain values."""
    return {
        "host": socket.gethostname(),
        "system": platform.platform(),
        "hpcdl": str(hpcdl_code.current()),
        "python": platform.python_version(),
        "cpu": _processor(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "cuda": torch.version.cuda,
        "slurm": {
            key.removeprefix("SLURM_").lower(): value
            for key, value in os.environ.items()
            if key
            in ("SLURM_JOB_ID", "SLURM_JOB_PARTITION", "SLURM_JOB_NODELIST", "SLURM_RESTART_COUNT")
        },
        "packages": packages(),
    }


def _processor() -> str:
    """Return the processor's name from Linux, or else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


@functools.cache  # needed again after a roll-back
def packages() -> dict[str, str]:
    """Return every installed package and its version, by name."""
    found = map(_headers, distributions())
    named = {it["Name"]: it["Version"] for it in found if it["Name"]}
    return dict(sorted(named.items()))


def _headers(package: Distribution) -> Message:
    """Return the headers of a package's metadata. `Distribution.metadata` parses the README below
    them as well, in seven times the time."""
    text = package.read_text("METADATA") or package.read_text("PKG-INFO") or ""
    return HeaderParser().parsestr(text.partition("\n\n")[0])
