"""Advice on what to ask for, by rules over what was asked for and what was used.

docs/report.md lists the rules with their thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from hpc_dl.jobspec import units
from hpc_dl.jobspec.data import StreamedData
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning.plan import Plan
from hpc_dl.usage.usage import CHECKPOINT, DATA, START, Usage

SHORTEST = 300.0
"""Seconds; a shorter run says nothing about a longer one."""
LESS = 0.75
"""Less is advised only where it is at most this share of what was asked for."""
NEARLY_ALL = 0.9
"""From this share on, what was asked for was nearly used up."""
MEMORY_MARGIN, SAMPLED_MARGIN = 1.2, 1.5
"""Memory to ask for, over what was used; samples miss what was needed for a moment only."""
TIME_MARGIN, MORE_SECONDS = 1.25, 300
CORES_MARGIN = 1.2
WAITING = 0.2
"""Share of the loop's time from which on it waits for data too much."""
GPU_IDLES, GPU_TARGET = 30.0, 70.0
"""Percent, below which fewer GPUs may do, and which each of these would then be used for."""
SAVING, SAVING_TARGET = 0.1, 0.05
"""Share of the loop's time from which on it saves too often, and what it is to become."""
_GIB, _STEP = 2**30, 2**28
_HOUR = 3600
_ROUNDING = {2 * _HOUR: 300, 8 * _HOUR: 900}
"""Seconds to which times are rounded up, by the longest time that is; others to hours."""


@dataclass(frozen=True)
class Asked:
    """What was asked for, as far as advice depends on it."""

    of_scheduler: bool
    """False where the run had the machine at hand, and nothing to ask for."""
    seconds: int
    cpus_per_task: int
    memory: int | None
    """Bytes of a node; None for the default of the site, and for all of the node."""
    nodes: int
    gpus_per_node: int
    whole_nodes: bool = False
    """True if the job has its nodes for itself, whatever it asks for."""
    workers: int | None = None
    """Processes of a rank that read; None where all examples are in memory, or none can read."""
    save_every: str = "1 epoch"

    @classmethod
    def of(cls, spec: JobSpec, plan: Plan) -> Asked:
        """Return what the plan of a run asks for."""
        return cls(
            of_scheduler=bool(plan.sbatch),
            seconds=plan.seconds,
            cpus_per_task=plan.cpus_per_task,
            memory=_memory(spec, plan),
            nodes=plan.nodes,
            gpus_per_node=plan.gpus_per_node,
            whole_nodes="exclusive" in plan.sbatch,
            workers=plan.workers if isinstance(spec.data, StreamedData) else None,
            save_every=spec.checkpoint.every,
        )


def _memory(spec: JobSpec, plan: Plan) -> int | None:
    per_cpu, per_gpu = plan.sbatch.get("mem-per-cpu"), plan.sbatch.get("mem-per-gpu")
    if per_cpu:
        return units.bytes_of(str(per_cpu)) * plan.cpus_per_task * plan.tasks_per_node
    if per_gpu:
        return units.bytes_of(str(per_gpu)) * plan.gpus_per_node
    return units.bytes_of(str(plan.sbatch.get("mem") or spec.resources.mem or "0")) or None


def advise(asked: Asked, used: Usage, attempts: int, *, completed: bool) -> list[str]:
    """Return the advice, a sentence each."""
    if used.seconds < SHORTEST:
        return []
    found = []
    if completed and asked.of_scheduler:
        found = [*_resources(asked, used, attempts)]
    return [*found, *_data(asked, used), *_gpus(asked, used), *_checkpoints(asked, used)]


def _resources(asked: Asked, used: Usage, attempts: int) -> Iterator[str]:
    """Advise on memory, time and cores, by what a run has used until its end."""
    changes = [
        _memory_to_ask(asked, used),
        _time_to_ask(asked, used, attempts),
        _cores_to_ask(asked, used),
    ]
    for verb in ("less", "more"):
        chosen = [it for it in changes if it and it.verb == verb]
        if chosen:
            keys = ", ".join(f"{it.key}: {it.value}" for it in chosen)
            why = ", ".join(it.why for it in chosen)
            yield f"ask for {verb}, with resources: {{{keys}}}; {why} were used"


@dataclass(frozen=True)
class _Change:
    """What to ask for instead, and how much of what was used."""

    verb: str
    key: str
    value: str
    why: str


def _verb(value: float, asked: float, used: float) -> str:
    """Return `less` or `more`, as `value` is to be asked for; "" where nothing is to change."""
    if value <= LESS * asked:
        return "less"
    return "more" if value > asked and used >= NEARLY_ALL * asked else ""


def _memory_to_ask(asked: Asked, used: Usage) -> _Change | None:
    """The group's peak counts cached files, so a full group says nothing: samples do then."""
    if asked.memory is None or asked.whole_nodes:
        return None
    most, margin = used.memory, SAMPLED_MARGIN
    if used.job_memory and used.job_memory < NEARLY_ALL * asked.memory:
        most, margin = max(most, used.job_memory), MEMORY_MARGIN
    value = _rounded_up(margin * most, _STEP if margin * most < _GIB else _GIB)
    text = f"{value // _GIB}G" if value % _GIB == 0 else f"{value // 2**20}M"
    why = f"{gigabytes(most)} of {gigabytes(asked.memory)} a node"
    return _Change(_verb(value, asked.memory, most), "mem", text, why)


def _time_to_ask(asked: Asked, used: Usage, attempts: int) -> _Change | None:
    need = TIME_MARGIN * used.seconds + MORE_SECONDS
    step = next((step for until, step in _ROUNDING.items() if need <= until), _HOUR)
    value = _rounded_up(need, step)
    verb = _verb(value, asked.seconds, used.seconds)
    if verb == "more" and attempts > 1:  # it goes on after the time limit as well
        return None
    why = f"{units.clock(used.seconds)} of {units.clock(asked.seconds)}"
    return _Change(verb, "time", units.clock(value), why)


def _cores_to_ask(asked: Asked, used: Usage) -> _Change | None:
    value = max(1, math.ceil(CORES_MARGIN * used.cores))
    waits = _share(used, DATA) >= WAITING  # fewer cores have fewer readers
    if waits or asked.whole_nodes or _verb(value, asked.cpus_per_task, used.cores) != "less":
        return None
    why = f"{used.cores:.1f} of {asked.cpus_per_task} cores a rank"
    return _Change("less", "cpus_per_task", str(value), why)


def _rounded_up(value: float, step: int) -> int:
    return math.ceil(value / step) * step


def _share(used: Usage, phase: str) -> float:
    """Return the share of a phase in the time without the start."""
    rest = 1 - used.share(START)
    return used.share(phase) / rest if rest > 0 else 0.0


def _data(asked: Asked, used: Usage) -> Iterator[str]:
    share = _share(used, DATA)
    if asked.workers is not None and share >= WAITING:
        workers = max(1, 2 * asked.workers)
        cores = max(asked.cpus_per_task, workers + 1)
        yield (
            f"{share:.0%} of the time it waited for data; more processes may read them, with "
            f"data: {{workers: {workers}}}, resources: {{cpus_per_task: {cores}}}"
        )


def _gpus(asked: Asked, used: Usage) -> Iterator[str]:
    """Advise fewer GPUs: the batch is divided over those that are left."""
    count, busy = asked.nodes * asked.gpus_per_node, used.gpu_utilization
    if count < 2 or busy is None or busy >= GPU_IDLES or _share(used, DATA) >= WAITING:
        return
    enough = max(1, math.ceil(count * busy / GPU_TARGET))
    nodes = math.ceil(enough / asked.gpus_per_node)
    each = math.ceil(enough / nodes)
    yield (
        f"the {count} GPUs were busy for {busy:.0f} % of the time; fewer may do, with "
        f"resources: {{nodes: {nodes}, gpus_per_node: {each}}}"
    )


def _checkpoints(asked: Asked, used: Usage) -> Iterator[str]:
    share, every = _share(used, CHECKPOINT), units.every(asked.save_every)
    if share >= SAVING:
        count = math.ceil(every.count * share / SAVING_TARGET)
        yield (
            f"{share:.0%} of the time it saved checkpoints; with checkpoint: "
            f"{{every: {count} {every.unit}}} it would save less often"
        )


def gigabytes(count: float) -> str:
    """Return bytes as the job spec writes them, if need be with a fraction: `6.1G`."""
    return f"{count / _GIB:.3g}G" if count >= _GIB else f"{count / 2**20:.0f}M"
