"""From a job spec and a site to a plan: a pure function, without disk, processes or torch.

The plan is what the dry run prints, what the submission sends and what the worker obeys.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from hpc_dl import conflicts, loading
from hpc_dl.conflicts import SpecConflict
from hpc_dl.credentials import hidden
from hpc_dl.site import Site
from hpc_dl.spec import units
from hpc_dl.spec.data import DataFacts
from hpc_dl.spec.job import JobSpec


@dataclass(frozen=True)
class Machine:
    """The machine at hand, for a run without Slurm."""

    cpus: int
    gpus: int
    memory: int | None = None
    """Bytes, if known."""


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before a run starts. Batches are in examples."""

    run_dir: str
    backend: Literal["slurm", "local"]
    nodes: int
    tasks_per_node: int
    gpus_per_node: int
    cpus_per_task: int
    global_batch: int
    rank_batch: int
    micro_batch: int
    steps_per_epoch: int
    steps: int
    epochs: int
    seconds: int
    facts: DataFacts
    data_root: str
    tracking_uri: str
    requeues: int
    """How often the job may be started again."""
    sbatch: dict[str, str | int | bool] = field(default_factory=dict)
    setup: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    follow_up: bool = False
    """Whether another job goes on in its place, where the site forbids requeues."""
    workers: int | None = None
    """Processes of each rank that read examples while it trains; None: all are in memory."""
    pause_at: int | None = None
    """The step at which a rehearsal is interrupted, to resume from its checkpoint."""

    @property
    def run_id(self) -> str:
        return Path(self.run_dir).name

    @property
    def world_size(self) -> int:
        """Ranks in all, one process each."""
        return self.nodes * self.tasks_per_node

    @property
    def micro_batches(self) -> int:
        """Forward and backward passes a rank makes for one optimizer step."""
        return math.ceil(self.rank_batch / self.micro_batch)

    def examples_seen(self, step: int) -> int:
        """Training examples, of all ranks, that `step` steps have used; an epoch's last batch is
        as small as it comes out."""
        epochs, steps = divmod(step, self.steps_per_epoch)
        return epochs * self.facts.train + min(steps * self.global_batch, self.facts.train)

    def without_password(self) -> Plan:
        """The plan as it may be written and shown."""
        return dataclasses.replace(self, tracking_uri=hidden(self.tracking_uri))

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Plan:
        return TypeAdapter(cls).validate_python(value)


def make(
    spec: JobSpec,
    site: Site,
    facts: DataFacts,
    *,
    run_dir: Path,
    run_root: Path,
    data_root: Path,
    machine: Machine | None = None,
) -> Plan:
    """The plan for a Slurm job, or with a `machine` for a local one.

    `facts` says what is known of the data; the three paths are absolute.
    Raises SpecConflict where the spec asks for what cannot be.
    """
    conflicts.check(spec, facts, None if machine else site)
    ranks = _on_this_machine(spec, machine) if machine else _as_asked(spec)
    batch = spec.data.batch_size
    rank_batch = math.ceil(batch / ranks.world_size)
    steps_per_epoch = math.ceil(facts.train / batch)
    steps = spec.train.steps or (spec.train.epochs or 0) * steps_per_epoch
    if spec.train.precision == "fp16" and not ranks.gpus_per_node:
        raise SpecConflict("train.precision", "fp16 needs a GPU", "Use bf16 or fp32 on CPUs.")
    notes = list(ranks.notes)
    if batch < ranks.world_size:
        notes.append(f"batch_size {batch} leaves {ranks.world_size - batch} of the ranks idle")
    loads = loading.choose(spec, facts, ranks, machine.memory if machine else None)
    notes += loads.notes
    store = spec.tracking.uri or site.tracking_uri or f"sqlite:///{run_root}/mlflow.db"
    if machine is None and not site.internet and store.startswith("http"):
        notes.append(
            "compute nodes of this site have no internet: unless they reach the tracking server, "
            "`hpcdl sync` on the login node brings the metrics"
        )
    return Plan(
        run_dir=str(run_dir),
        backend="local" if machine else "slurm",
        nodes=ranks.nodes,
        tasks_per_node=ranks.tasks_per_node,
        gpus_per_node=ranks.gpus_per_node,
        cpus_per_task=ranks.cpus_per_task,
        global_batch=batch,
        rank_batch=rank_batch,
        micro_batch=min(spec.train.micro_batch or rank_batch, rank_batch),
        steps_per_epoch=steps_per_epoch,
        steps=steps,
        epochs=math.ceil(steps / steps_per_epoch),
        seconds=units.seconds(spec.resources.time),
        facts=facts,
        data_root=str(data_root),
        tracking_uri=store,
        requeues=spec.resources.max_requeues,
        follow_up=not site.requeue,
        sbatch={} if machine else _sbatch(spec, site, run_dir),
        setup=[] if machine else list(site.setup),
        notes=notes,
        workers=loads.workers,
    )


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


def _gpus(count: int, site: Site, partition: str | None) -> str | int | None:
    """GPUs as sbatch wants them: of the partition's type, where it has one."""
    offer = site.partitions.get(partition or "")
    return f"{offer.gpu_type}:{count}" if count and offer and offer.gpu_type else count or None


def _sbatch(spec: JobSpec, site: Site, run_dir: Path) -> dict[str, str | int | bool]:
    """The sbatch options by name; what the spec says under `slurm:` has the last word."""
    asked, ranks = spec.resources, _as_asked(spec)
    partition = asked.partition or site.default_partition
    notice = min(site.signal_seconds, units.seconds(asked.time) // 10)
    options: dict[str, str | int | bool | None] = {
        "job-name": spec.name,
        "nodes": ranks.nodes,
        "ntasks-per-node": ranks.tasks_per_node,
        "gpus-per-node": _gpus(ranks.gpus_per_node, site, partition),
        "cpus-per-task": ranks.cpus_per_task,
        "mem": asked.mem,
        "time": asked.time,
        "partition": partition,
        "account": asked.account or site.account,
        "signal": f"USR2@{notice}",
        "requeue" if site.requeue and asked.max_requeues else "no-requeue": True,
        "open-mode": "append",
        "output": f"{run_dir}/logs/%j-batch.log",
        **site.slurm,
        **{key.replace("_", "-"): value for key, value in asked.slurm.items()},
    }
    return {key: value for key, value in options.items() if value is not None}
