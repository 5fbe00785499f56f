"""From a job spec and a site to a plan: a pure function, without disk, processes or torch.

The plan is what the dry run prints, what the submission sends and what the worker obeys.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import NonNegativeInt, PositiveInt, TypeAdapter

from hpc_dl.data.splits.counts import Holdout
from hpc_dl.jobspec import units
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.jobspec.data import DataFacts
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
from hpc_dl.planning.site import Site

Options = dict[str, str | int | bool]
"""Options of a scheduler's submission, by their names."""
_SYNTHETIC = "synthetic data: a seeded generator makes them, and nobody has measured them"
_NO_INTERNET = (
    "compute nodes of this site have no internet: unless they reach the tracking server, "
    "`hpcdl sync` on the login node brings the metrics"
)
_NO_WRAPPER = "a job of this machine has no wrapper; the site's is for jobs of the cluster"


@dataclass(frozen=True)
class Machine:
    """The machine at hand, for a job that runs on it."""

    cpus: int
    gpus: int
    memory: int | None = None
    """Bytes, if known."""


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before a run starts. Batches are in examples."""

    run_dir: str
    backend: str
    """The name of the scheduler."""
    nodes: PositiveInt
    tasks_per_node: PositiveInt
    gpus_per_node: NonNegativeInt
    cpus_per_task: PositiveInt
    global_batch: PositiveInt
    rank_batch: PositiveInt
    micro_batch: PositiveInt
    steps_per_epoch: PositiveInt
    steps: NonNegativeInt
    epochs: NonNegativeInt
    seconds: NonNegativeInt
    facts: DataFacts
    data_root: str
    tracking_uri: str
    requeues: NonNegativeInt
    """How often the job may be requeued."""
    sbatch: Options = field(default_factory=dict)
    """The scheduler's options; sbatch's, for Slurm."""
    setup: list[str] = field(default_factory=list)
    wrapper: str = ""
    """Shell words in front of the worker's command."""
    notes: list[str] = field(default_factory=list)
    follow_up: bool = False
    """True if another job goes on in its place, for the site forbids requeues."""
    workers: int | None = None
    """Processes of each rank that read examples while it trains; None: all are in memory."""
    compile: compiling.Mode = "off"
    compile_reason: str = ""
    """Why, for people."""
    pause_at: int | None = None
    """The step after which the training saves and pauses: at a rung of a sweep, or to rehearse a
    resume. With another one, or none, the run goes on from there."""
    shared_by: PositiveInt = 1
    """How many trainings of a sweep share the job, its cores and GPUs."""
    origins: dict[str, str] = field(default_factory=dict)
    """The variable of the environment that an option comes from, by the option's name."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables that the job gets: of the submission, and the site's."""
    fingerprint: str = ""
    """The digest of the data, and of other files that the training begins from."""
    secrets: list[str] = field(default_factory=list)
    """The names of those that it reads from a file, for they hold passwords."""

    @property
    def path(self) -> Path:
        return Path(self.run_dir)

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def world_size(self) -> int:
        """Ranks in all, one process each."""
        return self.nodes * self.tasks_per_node

    @property
    def micro_batches(self) -> int:
        """Forward and backward passes a rank makes for one optimizer step."""
        return math.ceil(self.rank_batch / self.micro_batch)

    def examples_seen(self, step: int) -> int:
        """Return the training examples, of all ranks, that `step` steps have used.

        An epoch's last batch may be smaller than the others.
        """
        epochs, steps = divmod(step, self.steps_per_epoch)
        return epochs * self.facts.train + min(steps * self.global_batch, self.facts.train)

    def without_password(self) -> Plan:
        """Return the plan as it may be written and shown."""
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
