"""What a cluster offers: its partitions, accounts, defaults, scratch space and house rules."""

from __future__ import annotations

from pydantic import Field

from hpc_dl.spec.base import Spec
from hpc_dl.spec.job import Memory, Time


class Partition(Spec):
    """One partition, as far as a plan has to know it."""

    max_time: Time | None = None
    gpus_per_node: int | None = Field(None, description="0 where it has none; unset: not known")
    gpu_type: str | None = None
    cpus_per_node: int | None = None
    mem_per_node: Memory | None = None


class Site(Spec):
    """A cluster, or a laptop. Paths may hold `~` and `$VARIABLES`."""

    name: str
    description: str = ""
    partitions: dict[str, Partition] = {}
    default_partition: str | None = None
    account: str | None = None
    slurm: dict[str, str | int | bool] = Field({}, description="sbatch options of every job")
    setup: list[str] = Field([], description="shell lines before the job, such as module load")
    run_root: str = Field("${SCRATCH:-$HOME}/hpcdl", description="where run folders go")
    data_root: str = Field("${HPCDL_DATA:-${SCRATCH:-$HOME}/hpcdl/data}", description="staged data")
    tracking_uri: str | None = Field(None, description="MLflow store; SQLite in run_root if unset")
    internet: bool = Field(False, description="whether compute nodes reach the internet")
    requeue: bool = Field(True, description="whether jobs may be requeued")
    signal_seconds: int = Field(90, description="how long before the time limit to warn the job")
