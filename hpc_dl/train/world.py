"""The ranks of a run: how they meet, which device each has, and sums over all of them."""

from __future__ import annotations

import datetime
import json
import os
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from hpc_dl.errors import EXIT_CLUSTER, UserError
from hpc_dl.place import Place
from hpc_dl.plan import Plan
from hpc_dl.rundir import RunDir, write_json
from hpc_dl.train import address

MEETING_SECONDS = 300
"""How long a rank waits for the others to arrive."""


@dataclass
class Mark:
    """How far this rank has come: in steps, with fractions within one; by the way, no clock."""

    at: float = 0.0
    count: int = 0

    def reach(self, at: float) -> None:
        self.at = at
        self.count += 1


@dataclass(frozen=True)
class World:
    """One rank's view of all ranks."""

    rank: int
    size: int
    device: torch.device
    address: tuple[str, int] | None = None
    """Of the store on rank 0 through which the ranks have met."""
    mark: Mark = field(default_factory=Mark, compare=False)

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """`values` summed over the ranks, on every rank; in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def sums(self, values: Sequence[torch.Tensor | float]) -> list[float]:
        """Scalars summed over the ranks, as numbers: one transfer and one synchronisation."""
        if not values:
            return []
        scalars = [torch.as_tensor(v, dtype=torch.float64, device=self.device) for v in values]
        return self.sum(torch.stack(scalars)).tolist()

    def gather(self, values: Sequence[torch.Tensor | float]) -> list[list[float]]:
        """The scalars of every rank, rank by rank, as numbers."""
        scalars = [torch.as_tensor(v, dtype=torch.float64, device=self.device) for v in values]
        row = torch.stack(scalars) if scalars else torch.empty(0, dtype=torch.float64)
        table = torch.zeros(self.size, len(values), dtype=torch.float64, device=self.device)
        table[self.rank] = row
        return self.sum(table).tolist()

    def gather_objects(self, value: Any) -> list[Any]:
        """Any plain value of every rank, rank by rank; slow, for what happens rarely."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def broadcast(self, tensors: Iterable[torch.Tensor]) -> None:
        """Give every rank the values of rank 0; in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor.detach(), src=0)


@contextmanager
def join(run: RunDir, plan: Plan, place: Place, patience: float) -> Iterator[World]:
    """Meet the other ranks for as long as the context lasts.

    `patience` is for how long, in seconds, a rank waits for the others in what they do together.
    """
    device = _device(plan, place)
    store = _meet(run, place, device, patience) if place.world_size > 1 else None
    try:
        yield World(place.rank, place.world_size, device, store)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def accelerator(plan: Plan, world: World, precision: str) -> Accelerator:
    """accelerate, on the device and in the process group of this rank."""
    mixed = "no" if precision == "fp32" else precision
    return Accelerator(cpu=world.device.type == "cpu", mixed_precision=mixed)


def _device(plan: Plan, place: Place) -> torch.device:
    """This rank's GPU, or the CPU with this rank's share of the cores."""
    torch.set_num_threads(plan.cpus_per_task)
    on_purpose = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
    if not plan.gpus_per_node or on_purpose:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError(
            f"the job has {plan.gpus_per_node} GPUs a node, but torch {torch.__version__} sees "
            f"none on {socket.gethostname()}",
            hint="Install the CUDA build of torch, load the driver's module in the site's `setup`, "
            "or train on CPUs with resources.gpus_per_node=0.",
        )
    # Where Slurm binds each task to its own GPU, that one is number 0 for all of them.
    index = 0 if torch.cuda.device_count() == 1 else place.local_rank
    device = torch.device("cuda", index)
    torch.cuda.set_device(device)
    return device


def _meet(run: RunDir, place: Place, device: torch.device, patience: float) -> tuple[str, int]:
    """Form the process group, through a store on a port that rank 0 holds from the beginning.

    Rank 0 has the system choose the port and writes it into the run folder; a port agreed
    beforehand could be taken by another job of the same node in the meantime.
    """
    wait = datetime.timedelta(seconds=MEETING_SECONDS)
    file = run.rendezvous(place.attempt)
    ours = address.choose(alone=place.local_world_size == place.world_size)
    if place.rank == 0:
        store = TCPStore(ours, 0, None, is_master=True, timeout=wait, wait_for_workers=False)
        master, port = ours, store.port
        write_json(file, {"host": socket.gethostname(), "address": master, "port": port})
    else:
        host, master, port = _address(run, place)
        address.try_out(place.rank, host, master, port)
        store = TCPStore(master, port, None, is_master=False, timeout=wait)
    os.environ.update(
        MASTER_ADDR=master,
        MASTER_PORT=str(port),
        RANK=str(place.rank),
        WORLD_SIZE=str(place.world_size),
        LOCAL_RANK=str(place.local_rank),
        LOCAL_WORLD_SIZE=str(place.local_world_size),
    )
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=store,
        rank=place.rank,
        world_size=place.world_size,
        timeout=datetime.timedelta(seconds=patience),
        device_id=device if device.type == "cuda" else None,
    )
    if place.rank == 0:
        file.unlink(missing_ok=True)
    return master, port


def _address(run: RunDir, place: Place) -> tuple[str, str, int]:
    """The name of rank 0's host, its address and its port."""
    file, patience = run.rendezvous(place.attempt), time.monotonic() + MEETING_SECONDS
    while time.monotonic() < patience:
        os.listdir(run.path)  # noqa: PTH208  a listing makes network file systems look again
        try:
            said = json.loads(file.read_text())
        except (FileNotFoundError, ValueError):
            time.sleep(0.05)
        else:
            return said["host"], said["address"], said["port"]
    raise UserError(
        f"rank {place.rank} on {socket.gethostname()} waited {MEETING_SECONDS} s for rank 0",
        hint="See the log of rank 0.",
        exit_code=EXIT_CLUSTER,
    )
