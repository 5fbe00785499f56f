"""From a job spec and a site to a plan: a pure function, without disk, processes or torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from hpc_dl.data.splits.counts import Holdout
from hpc_dl.jobspec import units
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning import (
    batch_division,
    class_balance,
    compatibility,
    compiling,
    data_loading,
    tracking_store,
)
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.planning.plan import Machine, Plan
from hpc_dl.planning.site import Site

_SYNTHETIC = "synthetic data: a seeded generator makes them, and nobody has measured them"
_NO_INTERNET = (
    "compute nodes of this site have no internet: unless they reach the tracking server, "
    "`hpcdl sync` on the login node brings the metrics"
)
_NO_WRAPPER = "a job of this machine has no wrapper; the site's is for jobs of the cluster"


def make(
    spec: JobSpec,
    site: Site,
    facts: DataFacts,
    *,
    backend: str,
    run_dir: Path,
    run_root: Path,
    data_root: Path,
    machine: Machine | None = None,
) -> Plan:
    """Plan a job for a cluster, or for the `machine` at hand.

    `backend` is the name of its scheduler, whose options are added by `scheduler.plan_job`. `facts`
    says what is known of the data; the three paths are absolute. Raises SpecConflict where the spec
    asks for what cannot be.
    """
    compatibility.check(spec, facts, None if machine else site)
    ranks = _on_this_machine(spec, machine) if machine else _as_asked(spec)
    batch = spec.data.batch_size
    rank_batch = math.ceil(batch / ranks.world_size)
    steps_per_epoch, steps = length(spec, facts)
    compatibility.check_profile(spec, steps)
    if spec.train.precision == "fp16" and not ranks.gpus_per_node:
        raise SpecConflict("train.precision", "fp16 needs a GPU", "Use bf16 or fp32 on CPUs.")
    micro_batch = min(spec.train.micro_batch or rank_batch, rank_batch)
    loads = data_loading.choose(spec, facts, ranks, machine.memory if machine else None)
    passes = math.ceil(rank_batch / micro_batch)
    compiled = compiling.choose(spec, facts, ranks, passes, steps)
    store = tracking_store.choose(spec, site, run_root)
    out_of_reach = machine is None and not site.internet and store.startswith("http")
    return Plan(
        run_dir=str(run_dir),
        backend=backend,
        nodes=ranks.nodes,
        tasks_per_node=ranks.tasks_per_node,
        gpus_per_node=ranks.gpus_per_node,
        cpus_per_task=ranks.cpus_per_task,
        global_batch=batch,
        rank_batch=rank_batch,
        micro_batch=micro_batch,
        steps_per_epoch=steps_per_epoch,
        steps=steps,
        epochs=math.ceil(steps / steps_per_epoch),
        seconds=units.seconds(spec.resources.time),
        facts=facts,
        data_root=str(data_root),
        tracking_uri=store,
        requeues=spec.resources.max_requeues,
        follow_up=not site.requeue,
        notes=[
            *ranks.notes,
            *_idle(batch, ranks.world_size),
            *batch_division.notes(spec, facts.train, ranks.world_size, rank_batch, micro_batch),
            *([_SYNTHETIC] if facts.synthetic else []),
            *facts.notes,
            *class_balance.notes(Holdout.of(spec.data), facts, spec.model.is_supervised),
            *loads.notes,
            *_rounding(spec, ranks.gpus_per_node),
            *([_NO_INTERNET] if out_of_reach else []),
            *([_NO_WRAPPER] if machine and site.wrapper else []),
        ],
        workers=loads.workers,
        compile=compiled.mode,
        compile_reason=compiled.reason,
        setup=[] if machine else _setup(spec, site),
        wrapper="" if machine else site.wrapper,
    )


def length(spec: JobSpec, facts: DataFacts) -> tuple[int, int]:
    """Return the steps of an epoch, and those of the whole training."""
    steps_per_epoch = math.ceil(facts.train / spec.data.batch_size)
    return steps_per_epoch, spec.train.steps or (spec.train.epochs or 0) * steps_per_epoch


def _idle(batch: int, ranks: int) -> list[str]:
    idle = ranks - batch
    return [f"batch_size {batch} leaves {idle} of the ranks idle"] if idle > 0 else []


def _rounding(spec: JobSpec, gpus: int) -> list[str]:
    if spec.train.tf32 is not None and not gpus:
        return ["train.tf32 changes nothing on a CPU"]
    if spec.train.tf32 is None and gpus and spec.train.precision == "fp32":
        return [
            "fp32: convolutions and recurrent layers round their inputs to TF32, where the GPU has "
            "it; matrix products do not (train.tf32)"
        ]
    return []


def _setup(spec: JobSpec, site: Site) -> list[str]:
    """Return the site's shell lines, and those that set the network interface between nodes."""
    name = site.network_interface if spec.resources.nodes > 1 else None
    variables = ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME") if name else ()
    return [*(f'export {it}="${{{it}:-{name}}}"' for it in variables), *site.setup]


@dataclass(frozen=True)
class _Ranks:
    nodes: int
    tasks_per_node: int
    gpus_per_node: int
    cpus_per_task: int
    notes: tuple[str, ...] = ()

    @property
    def world_size(self) -> int:
        return self.nodes * self.tasks_per_node


def _as_asked(spec: JobSpec) -> _Ranks:
    asked = spec.resources
    tasks = asked.gpus_per_node or asked.tasks_per_node or 1
    return _Ranks(asked.nodes, tasks, asked.gpus_per_node, asked.cpus_per_task)


def _on_this_machine(spec: JobSpec, machine: Machine) -> _Ranks:
    asked = _as_asked(spec)
    notes = []
    if asked.nodes > 1:
        notes.append(f"asked for {asked.nodes} nodes; this run has one, this machine")
    gpus = min(asked.gpus_per_node, machine.gpus)
    if gpus < asked.gpus_per_node:
        there = f"has {gpus}" if gpus else "has none: trains on the CPU"
        notes.append(f"asked for {asked.gpus_per_node} GPUs; this machine {there}")
    tasks = asked.tasks_per_node if not asked.gpus_per_node else max(gpus, 1)
    cpus = max(1, min(asked.cpus_per_task, machine.cpus // tasks))
    return _Ranks(1, tasks, gpus, cpus, tuple(notes))
