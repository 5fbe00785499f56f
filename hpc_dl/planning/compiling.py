"""Choice of `train.compile`: whether a GPU replays a step's forward and backward pass as a CUDA
graph, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.planning.plan import Compiled

AUTO_STEPS = 1000
"""Steps from which `auto` captures a graph: that takes about ten steps, and torch some setting up,
of which no time was measured."""
_ON_A_CPU = "trains on a CPU, where compiled steps were measured to be no faster"
_HAS_NO_GPU = "it trains on a CPU, which has no CUDA graphs"


class Ranks(Protocol):
    """The ranks of the job."""

    @property
    def world_size(self) -> int: ...
    @property
    def gpus_per_node(self) -> int: ...


@dataclass(frozen=True)
class Compiling:
    """The mode, and the reason for people."""

    mode: Compiled
    reason: str


def choose(spec: JobSpec, facts: DataFacts, ranks: Ranks, passes: int, steps: int) -> Compiling:
    """Choose for a training of `steps` steps, of so many forward and backward `passes` each.

    Raises SpecConflict where a graph is asked for that cannot be; without a GPU on the machine at
    hand, of a job that asks for GPUs, it is off.
    """
    asked, on_gpu = spec.train.compile, ranks.gpus_per_node > 0
    if asked == "off":
        return Compiling("off", "as asked for")
    obstacles = list(_obstacles(spec, facts, ranks, passes))
    if asked == "reduce-overhead":
        if not spec.resources.gpus_per_node:
            obstacles.insert(0, _HAS_NO_GPU)
        if obstacles:
            message = f"no step of this job can be a CUDA graph: {obstacles[0]}"
            raise SpecConflict("train.compile", message, "Take auto, or leave it out.")
        return Compiling(asked, "as asked for") if on_gpu else Compiling("off", _ON_A_CPU)
    if not on_gpu:
        return Compiling("off", _ON_A_CPU)
    obstacles += _doubts(spec, facts, steps)
    if obstacles:
        return Compiling("off", obstacles[0])
    return Compiling("reduce-overhead", f"each of {steps} steps is replayed as a CUDA graph")


def _obstacles(spec: JobSpec, facts: DataFacts, ranks: Ranks, passes: int) -> Iterator[str]:
    """Yield why a step is no graph: what differs between steps, or is not one rank's alone."""
    if ranks.world_size > 1:
        yield f"its {ranks.world_size} ranks average gradients while they compute them"
    if passes > 1:
        yield f"a step adds up the gradients of {passes} micro-batches"
    if spec.data.carries_state:
        yield "a step begins with the state that the one before ended with"
    if facts.is_ragged:
        yield "examples differ in length, and so do batches"


def _doubts(spec: JobSpec, facts: DataFacts, steps: int) -> Iterator[str]:
    """Yield why `auto` captures no graph, though there could be one."""
    if facts.modality == "graph" and not facts.task.endswith("_nodes"):
        yield "graphs differ in size, and so do batches"
    for key, name in spec.user_parts().items():
        if key in ("model", "train.loss"):
            yield f"what {name} decides in Python, a CUDA graph would not decide again"
    if steps < AUTO_STEPS:
        yield f"{steps} steps are too few to capture a CUDA graph for; from {AUTO_STEPS} on"
