"""The ranks of a run: rendezvous, process group, devices, and sums over all ranks."""

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
from hpc_dl.train import address, devices, peers, setup_errors
from hpc_dl.train.peers import PeerConnections
from hpc_dl.train.phases import Phases

RENDEZVOUS_SECONDS = 300
"""How long a rank waits for the others to arrive."""
ANSWER_SECONDS = 20
"""How long rank 0's store, which listens already, may take to answer."""
_LAUNCHER_VARIABLES = (
    *("LOCAL_RANK", "WORLD_SIZE"),
    *("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE"),
)
"""Variables by which accelerate looks for other ranks, even if another launcher has left them: in a
shell that was started by srun or mpirun, or in a user's profile."""


@dataclass
class Progress:
    """This rank's progress in steps, with fractions within one; the other ranks watch `count`."""

    at: float = 0.0
    count: int = 0
    is_loading: bool = False
    """It loads the data: the processor's time is progress."""
    is_waiting: bool = False
    """It waits for the data of other ranks, and makes none itself."""

    def advance(self, at: float) -> None:
        """Move on to a place."""
        self.at = at
        self.count += 1

    def touch(self) -> None:
        """Show that this rank is alive, at the same place."""
        self.count += 1

    @contextmanager
    def of_loading(self) -> Iterator[None]:
        """Count the processor's time as progress meanwhile, before the first step."""
        self.at, self.is_loading = -1.0, True
        try:
            yield
        finally:
            self.at, self.is_loading = 0.0, False

    @contextmanager
    def of_waiting(self) -> Iterator[None]:
        """Expect no progress of this rank meanwhile."""
        self.is_waiting = True
        try:
            yield
        finally:
            self.is_waiting = False


@dataclass
class Requests:
    """A number that the ranks add up in the all-reduce of the loss; see `control`."""

    own: Callable[[], int] = lambda: 0
    total: int = 0
    """Over all ranks, as of the last update."""


@dataclass(frozen=True)
class PendingSum:
    """A sum over the ranks that is under way."""

    values: torch.Tensor
    work: dist.Work | None

    def wait(self) -> torch.Tensor:
        """Return the sum once it is there; on a GPU at once, whose later work waits for it."""
        if self.work is not None:
            self.work.wait()
        return self.values


@dataclass(frozen=True)
class World:
    """The ranks, as one of them sees them."""

    rank: int
    size: int
    device: torch.device
    address: tuple[str, int] | None = None
    """Of rank 0's store, through which the ranks have met."""
    progress: Progress = field(default_factory=Progress, compare=False)
    requests: Requests = field(default_factory=Requests, compare=False)
    phases: Phases = field(default_factory=Phases, compare=False)

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Sum `values` over the ranks, on every rank; in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def begin_sum(self, values: torch.Tensor) -> PendingSum:
        """Begin to sum `values` over the ranks, in place, while the caller goes on."""
        work = dist.all_reduce(values, async_op=True) if self.size > 1 else None
        return PendingSum(values, work)

    def sums(self, values: Sequence[torch.Tensor | float]) -> list[float]:
        """Return scalars summed over the ranks, with one transfer and one synchronisation."""
        if not values:
            return []
        scalars = [torch.as_tensor(v, dtype=torch.float64, device=self.device) for v in values]
        return self.sum(torch.stack(scalars)).tolist()

    def gather(self, values: Sequence[torch.Tensor | float]) -> list[list[float]]:
        """Return the scalars of every rank, rank by rank."""
        scalars = [torch.as_tensor(v, dtype=torch.float64, device=self.device) for v in values]
        row = torch.stack(scalars) if scalars else torch.empty(0, dtype=torch.float64)
        table = torch.zeros(self.size, len(values), dtype=torch.float64, device=self.device)
        table[self.rank] = row
        return self.sum(table).tolist()

    def gather_objects(self, value: Any) -> list[Any]:
        """Return a picklable value of every rank, rank by rank; slow."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def broadcast(self, tensors: Iterable[torch.Tensor]) -> None:
        """Copy the values of rank 0 to every rank; in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor.detach(), src=0)


@contextmanager
def join(
    run: RunDir,
    plan: Plan,
    rank_info: RankInfo,
    timeout: float,
    on_gone: Callable[[PeerGone], None] = lambda gone: None,
) -> Iterator[World]:
    """Join the process group of all ranks for as long as the context lasts.

    `timeout` is how long, in seconds, a rank waits for the others in a collective; `on_gone` is
    called, in another thread, when one has ended without closing its connection.
    """
    torch.set_num_threads(plan.cpus_per_task)
    if rank_info.world_size == 1:
        for name in _LAUNCHER_VARIABLES:
            os.environ.pop(name, None)
        yield World(0, 1, devices.find(plan.gpus_per_node, rank_info, None))
        return
    with peers.watch_local(rank_info, on_gone):
        store, at = _rendezvous(run, rank_info)
        connections = PeerConnections(store, at[0], rank_info.rank, on_gone)
        with setup_errors.explained(connecting=True):
            device = devices.find(plan.gpus_per_node, rank_info, store)
            _connect(store, at, rank_info, device, timeout)
    if rank_info.rank == 0:
        run.rendezvous(rank_info.attempt).unlink(missing_ok=True)
    yield World(rank_info.rank, rank_info.world_size, device, at)
    # Not after a failure: NCCL destroys a group together with the other ranks, which are elsewhere
    # then, and would be waited for before the failure is recorded.
    if connections.close():
        dist.destroy_process_group()


def accelerator(plan: Plan, world: World, precision: str) -> Accelerator:
    """Return an Accelerator on the device and in the process group of this rank."""
    mixed = "no" if precision == "fp32" else precision
    return Accelerator(cpu=world.device.type == "cpu", mixed_precision=mixed)


def _rendezvous(run: RunDir, rank_info: RankInfo) -> tuple[TCPStore, tuple[str, int]]:
    """Return rank 0's store and its address, on a port that rank 0 holds from the beginning.

    Rank 0 has the system choose the port and writes it into the run folder; a port agreed
    beforehand could be taken by another job of the same node in the meantime.
    """
    wait = datetime.timedelta(seconds=RENDEZVOUS_SECONDS)
    alone = rank_info.local_world_size == rank_info.world_size
    ours = address.choose(alone=alone)
    if rank_info.rank == 0:
        store = TCPStore(ours, 0, None, is_master=True, timeout=wait, wait_for_workers=False)
        there = {"host": socket.gethostname(), "address": ours, "port": store.port}
        write_json(run.rendezvous(rank_info.attempt), there)
        return store, (ours, store.port)
    host, master, port = _address(run, rank_info)
    address.check_connection(rank_info.rank, host, master, port, alone=alone)
    return _store_of(host, master, port, wait), (master, port)


def _store_of(host: str, master: str, port: int, wait: datetime.timedelta) -> TCPStore:
    """Return rank 0's store on `host`, whose timeout for values of other ranks is `wait`.

    torch tries again and again to connect; but a rank 0 that does not answer now has ended.
    """
    answers = datetime.timedelta(seconds=ANSWER_SECONDS)
    try:
        store = TCPStore(master, port, None, is_master=False, timeout=answers)
    except RuntimeError:
        raise PeerGone(0, host) from None
    store.set_timeout(wait)
    return store


def _connect(
    store: TCPStore, at: tuple[str, int], rank_info: RankInfo, device: torch.device, timeout: float
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
        timeout=datetime.timedelta(seconds=timeout),
        device_id=device if device.type == "cuda" else None,
    )
    dist.all_reduce(torch.zeros(1, device=device))
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _address(run: RunDir, rank_info: RankInfo) -> tuple[str, str, int]:
    """Wait for the name of rank 0's host, its address and its port."""
    file = run.rendezvous(rank_info.attempt)
    if rank_0 := wait_until(lambda: _read_address(file), RENDEZVOUS_SECONDS, 0.05):
        return rank_0["host"], rank_0["address"], rank_0["port"]
    raise UserError(
        f"rank {rank_info.rank} on {socket.gethostname()} waited {RENDEZVOUS_SECONDS} s for rank 0",
        hint="See the log of rank 0.",
        exit_code=EXIT_CLUSTER,
    )


def _read_address(file: Path) -> dict[str, Any] | None:
    os.listdir(file.parent)  # noqa: PTH208  a listing makes network file systems look again
    try:
        return dict(json.loads(file.read_text()))
    except (FileNotFoundError, ValueError):
        return None
