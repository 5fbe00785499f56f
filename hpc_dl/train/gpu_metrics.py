"""GPU metrics of all ranks: utilisation, memory, power and temperature, as NVML measures them.

Every rank reads its own GPU in a thread and writes the reading to rank 0's store; rank 0 journals
them: no rank waits for another. NVML is read through `nvidia-ml-py`, if that is installed.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from hpc_dl.train.world import World

SECONDS = 10.0
"""Between two readings."""
MIB = 2**20
_STORE_SECONDS = 10

Reading = dict[str, float]


class GPU:
    """One GPU, or one MIG instance of it."""

    def __init__(self, device: torch.device) -> None:
        self._nvml, self._handle = None, None
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


class GpuMetrics:
    """Reads this rank's GPU while its context lasts, and on rank 0 those of all ranks."""

    def __init__(self, world: World) -> None:
        self._world, self._gpu = world, GPU(world.device)
        self._stop = threading.Event()
        self._store = self._join()
        self._thread = threading.Thread(target=self._send, name="gpu metrics", daemon=True)

    def _join(self) -> TCPStore | None:
        if self._world.address is None or self._world.device.type != "cuda":
            return None
        host, port = self._world.address
        wait = timedelta(seconds=_STORE_SECONDS)
        with contextlib.suppress(RuntimeError):
            return TCPStore(host, port, None, is_master=False, timeout=wait)
        return None

    def __enter__(self) -> GpuMetrics:
        if self._store is not None and self._world.rank > 0:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _send(self) -> None:
        """Write readings to the store until the end; if the store is gone, so is rank 0."""
        with contextlib.suppress(RuntimeError):
            while self._store is not None:
                self._store.set(_key(self._world.rank), json.dumps(self._gpu.read()))
                if self._stop.wait(SECONDS):
                    return

    def metrics(self) -> dict[str, float]:
        """Return on rank 0 the newest reading of each rank, under the names that MLflow groups."""
        return {
            f"system/gpu_{rank}_{name}": value
            for rank, reading in self._readings()
            for name, value in reading.items()
        }

    def _readings(self) -> Iterator[tuple[int, Reading]]:
        yield 0, self._gpu.read()
        for rank in range(1, self._world.size):
            with contextlib.suppress(RuntimeError):
                if self._store is not None and self._store.check([_key(rank)]):
                    yield rank, json.loads(self._store.get(_key(rank)))


def _key(rank: int) -> str:
    return f"gpu/{rank}"
