"""A rank's GPU: utilisation, memory, power, temperature and energy, as NVML measures them.

NVML is read through `nvidia-ml-py`, if that is installed; without it torch knows the memory.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch

MIB = 2**20

Reading = dict[str, float]


class GPU:
    """One GPU, or one MIG instance of it."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._nvml, self._handle = device, None, None
        if device.type == "cuda":
            with contextlib.suppress(Exception):  # no such module, no driver, no right to ask
                self._nvml, self._handle = _find(device)

    def read(self) -> Reading:
        """Return the current metrics by name, without those that cannot be measured."""
        found: Reading = {}
        if self._nvml is None:
            return found
        for measure in (_memory, _utilisation, _power, _temperature):
            # A MIG instance has no utilisation and no power of its own; no metric may end a run.
            with contextlib.suppress(Exception):
                found |= measure(self._nvml, self._handle)
        return found

    def joules(self) -> float | None:
        """Return the energy since the driver was loaded; None where the GPU does not tell."""
        with contextlib.suppress(Exception):  # older than Volta, or a MIG instance
            if self._nvml is not None:
                return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1000
        return None

    def memory(self) -> tuple[int, int] | None:
        """Return the bytes in use, or else the most that torch has held, and those of the GPU."""
        if self._device.type != "cuda":
            return None
        with contextlib.suppress(Exception):
            if self._nvml is not None:
                found = self._nvml.nvmlDeviceGetMemoryInfo(self._handle)
                return found.used, found.total
        with contextlib.suppress(RuntimeError):  # the GPU has failed
            held = torch.cuda.max_memory_reserved(self._device)
            return held, torch.cuda.get_device_properties(self._device).total_memory
        return None


def _find(device: torch.device) -> tuple[Any, Any]:
    """Return NVML and its handle of a torch device, found by UUID, for their numbers differ."""
    import pynvml

    pynvml.nvmlInit()
    uuid = str(torch.cuda.get_device_properties(device).uuid)
    try:
        return pynvml, pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except pynvml.NVMLError:
        return pynvml, pynvml.nvmlDeviceGetHandleByUUID(f"MIG-{uuid}")


def _memory(nvml: Any, handle: Any) -> Reading:
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    share = 100 * memory.used / memory.total
    return {"memory_usage_megabytes": memory.used / MIB, "memory_usage_percentage": share}


def _utilisation(nvml: Any, handle: Any) -> Reading:
    return {"utilization_percentage": float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)}


def _power(nvml: Any, handle: Any) -> Reading:
    drawn, most = nvml.nvmlDeviceGetPowerUsage(handle), nvml.nvmlDeviceGetEnforcedPowerLimit(handle)
    return {"power_usage_watts": drawn / 1000, "power_usage_percentage": 100 * drawn / most}


def _temperature(nvml: Any, handle: Any) -> Reading:
    degrees = nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
    return {"temperature_celsius": float(degrees)}
