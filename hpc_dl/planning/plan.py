"""A plan: what the dry run prints, what the submission sends and what the worker obeys."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import NonNegativeInt, PositiveInt, TypeAdapter

from hpc_dl.jobspec.credentials import hidden
from hpc_dl.jobspec.facts import DataFacts

Options = dict[str, str | int | bool]
"""Options of a scheduler's submission, by their names."""
Compiled = Literal["off", "reduce-overhead"]
"""Whether steps are captured as a CUDA graph."""


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
    compile: Compiled = "off"
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

    def examples_of(self, step: int) -> int:
        """Return the training examples in the global batch of a step, the first being 0."""
        return self.examples_seen(step + 1) - self.examples_seen(step)

    def without_password(self) -> Plan:
        """Return the plan as it may be written and shown."""
        return dataclasses.replace(self, tracking_uri=hidden(self.tracking_uri))

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Plan:
        return TypeAdapter(cls).validate_python(value)
