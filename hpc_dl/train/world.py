"""The ranks of a run: how they meet, which device each has, and sums over all of them."""

from __future__ import annotations

import datetime
import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from hpc_dl.errors import EXIT_CLUSTER, UserError
from hpc_dl.planning.plan import Plan
from hpc_dl.run.failure import PeerGone
from hpc_dl.run.layout import RunDir, write_json
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.waiting import wait_until
from hpc_dl.train import address, devices, local_ranks, setup_errors
from hpc_dl.train.peer_connections import Presence

MEETING_SECONDS = 300
"""How long a rank waits for the others to arrive."""
ANSWER_SECONDS = 20
"""How long the store of rank 0 may take to answer, which is there already."""
_OF_LAUNCHERS = (
    *("LOCAL_RANK", "WORLD_SIZE"),
    *("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE"),
)
"""By these accelerate looks for other ranks, also where they are left from another launcher: in a
shell that was started by srun or mpirun, or in a user's profile."""


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
def join(
    run: RunDir,
    plan: Plan,
    rank_info: RankInfo,
    patience: float,
    on_gone: Callable[[PeerGone], None] = lambda gone: None,
) -> Iterator[World]:
    """Meet the other ranks for as long as the context lasts.

    `patience` is for how long, in seconds, a rank waits for the others in what they do together;
    `on_gone` is called, in another thread, when one has left without taking leave.
    """
    torch.set_num_threads(plan.cpus_per_task)
    if rank_info.world_size == 1:
        for name in _OF_LAUNCHERS:
            os.environ.pop(name, None)
        yield World(0, 1, devices.find(plan.gpus_per_node, rank_info, None))
        return
    with local_ranks.watched(rank_info, on_gone):
        store, at = _meet(run, rank_info)
        presence = Presence(store, at[0], rank_info.rank, on_gone)
        with setup_errors.explained(meeting=True):
            device = devices.find(plan.gpus_per_node, rank_info, store)
            _connect(store, at, rank_info, device, patience)
    if rank_info.rank == 0:
        run.rendezvous(rank_info.attempt).unlink(missing_ok=True)
    yield World(rank_info.rank, rank_info.world_size, device, at)
    # Not after a failure: NCCL destroys a group together with the other ranks, which are elsewhere
    # then, and would be waited for before the failure is recorded.
    if presence.leave():
        dist.destroy_process_group()


def accelerator(plan: Plan, world: World, precision: str) -> Accelerator:
    """accelerate, on the device and in the process group of this rank."""
    mixed = "no" if precision == "fp32" else precision
    return Accelerator(cpu=world.device.type == "cpu", mixed_precision=mixed)


def _meet(run: RunDir, rank_info: RankInfo) -> tuple[TCPStore, tuple[str, int]]:
    """The store of rank 0, and its address: on a port that rank 0 holds from the beginning.

    Rank 0 has the system choose the port and writes it into the run folder; a port agreed
    beforehand could be taken by another job of the same node in the meantime.
    """
    wait = datetime.timedelta(seconds=MEETING_SECONDS)
    alone = rank_info.local_world_size == rank_info.world_size
    ours = address.choose(alone=alone)
    if rank_info.rank == 0:
        store = TCPStore(ours, 0, None, is_master=True, timeout=wait, wait_for_workers=False)
        there = {"host": socket.gethostname(), "address": ours, "port": store.port}
        write_json(run.rendezvous(rank_info.attempt), there)
        return store, (ours, store.port)
    host, master, port = _address(run, rank_info)
    address.try_out(rank_info.rank, host, master, port, alone=alone)
    return _store_of(host, master, port, wait), (master, port)


def _store_of(host: str, master: str, port: int, wait: datetime.timedelta) -> TCPStore:
    """The store of rank 0 on `host`, with so much patience for what the ranks write into it.

    torch tries again and again to connect; but who does not answer now has ended meanwhile.
    """
    answers = datetime.timedelta(seconds=ANSWER_SECONDS)
    try:
        store = TCPStore(master, port, None, is_master=False, timeout=answers)
    except RuntimeError:
        raise PeerGone(0, host) from None
    store.set_timeout(wait)
    return store


def _connect(
    store: TCPStore, at: tuple[str, int], rank_info: RankInfo, device: torch.device, patience: float
) -> None:
    """Form the process group, and use it once: NCCL connects the ranks when they first do."""
    os.environ.update(
        MASTER_ADDR=at[0],
        MASTER_PORT=str(at[1]),
        RANK=str(rank_info.rank),
        WORLD_SIZE=str(rank_info.world_size),
        # By it accelerate chooses the device, which may be number 0 for all ranks of the node.
        LOCAL_RANK=str(rank_info.local_rank if device.index is None else device.index),
        LOCAL_WORLD_SIZE=str(rank_info.local_world_size),
    )
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=store,
        rank=rank_info.rank,
        world_size=rank_info.world_size,
        timeout=datetime.timedelta(seconds=patience),
        device_id=device if device.type == "cuda" else None,
    )
    dist.all_reduce(torch.zeros(1, device=device))
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _address(run: RunDir, rank_info: RankInfo) -> tuple[str, str, int]:
    """The name of rank 0's host, its address and its port."""
    file = run.rendezvous(rank_info.attempt)
    if found := wait_until(lambda: _read_address(file), MEETING_SECONDS, 0.05):
        return found["host"], found["address"], found["port"]
    raise UserError(
        f"rank {rank_info.rank} on {socket.gethostname()} waited {MEETING_SECONDS} s for rank 0",
        hint="See the log of rank 0.",
        exit_code=EXIT_CLUSTER,
    )


def _read_address(file: Path) -> dict[str, Any] | None:
    os.listdir(file.parent)  # noqa: PTH208  a listing makes network file systems look again
    try:
        return dict(json.loads(file.read_text()))
    except (FileNotFoundError, ValueError):
        return None
