"""Rank meter: what this rank has used since its process began."""

from __future__ import annotations

import os
import socket
import threading
import time

from hpc_dl.train.gpu_metrics import GPU, Reading
from hpc_dl.train.idle_gpus import IDLE_PERCENT, RankState
from hpc_dl.train.world import World
from hpc_dl.usage.cgroup import peak_memory
from hpc_dl.usage.energy import ProcessorEnergy
from hpc_dl.usage.processes import ProcessTree
from hpc_dl.usage.usage import PHASES, Usage


class RankMeter:
    """Samples processes, GPU and energy; what it has found so far is the rank's usage."""

    def __init__(self, world: World) -> None:
        self._world, self._host = world, socket.gethostname()
        self._processes, self._gpu = ProcessTree(), GPU(world.device)
        self._energy = ProcessorEnergy()
        self._node_joules: float | None = None
        self._joules_before = self._gpu.joules()
        self._gpu_memory: tuple[int, int] | None = None
        self._utilization, self._readings = 0.0, 0
        self._idle_since: float | None = None
        self._lock = threading.Lock()
        self.gpu: Reading = {}
        """The newest reading."""

    def sample(self, *, at_once: bool = False) -> None:
        """Measure; processes only if that is due, or `at_once`."""
        with self._lock:
            self._processes.sample(at_once=at_once)
            self._node_joules = self._energy.sample()
            self.gpu = self._gpu.read()
            if (busy := self.gpu.get("utilization_percentage")) is not None:
                self._note_utilization(busy)
            if (memory := self._gpu.memory()) is not None:
                self._gpu_memory = max(memory, self._gpu_memory or memory)

    def _note_utilization(self, percent: float) -> None:
        """Add a reading to the mean, and note since when the GPU idles."""
        self._readings += 1
        self._utilization += (percent - self._utilization) / self._readings
        if percent > IDLE_PERCENT:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = time.monotonic()

    def state(self) -> RankState:
        """Return what this rank is doing, and for how long its GPU has idled."""
        since, progress = self._idle_since, self._world.progress
        idle = None if since is None else time.monotonic() - since
        phase = self._world.phases.current
        return RankState(self._world.rank, self._host, phase, progress.at, idle)

    def usage(self) -> Usage:
        """Return what this rank has used, by the newest sample."""
        with self._lock:
            phases = self._world.phases.seconds()
            seconds = sum(phases.values())
            held, total = self._gpu_memory or (None, None)
            return Usage(
                seconds=seconds,
                rank_seconds=seconds,
                cpu_seconds=self._processes.cpu_seconds,
                cores=self._processes.cores,
                memory=self._processes.memory,
                job_memory=peak_memory(os.environ.get("SLURM_JOB_ID", "")),
                node_joules=self._node_joules,
                phases={name: phases.get(name, 0.0) for name in PHASES},
                gpu_seconds=seconds if self._world.device.type == "cuda" else 0.0,
                gpu_utilization=self._utilization if self._readings else None,
                gpu_memory=held,
                gpu_total_memory=total,
                gpu_joules=self._gpu_joules(),
            )

    def _gpu_joules(self) -> float | None:
        now, before = self._gpu.joules(), self._joules_before
        return None if now is None or before is None else now - before
