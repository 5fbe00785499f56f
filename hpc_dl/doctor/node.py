"""What the doctor's job runs in each of its tasks: `python -m hpc_dl.doctor.node FOLDER MARK`.

The ranks meet as those of a training do, so what keeps these apart would keep those apart.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from hpc_dl.doctor import folder_trial, torch_trial
from hpc_dl.doctor.report import DONE, Report
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.planning.plan import Plan
from hpc_dl.run import records
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.waiting import try_lock, wait_until
from hpc_dl.scheduler import registry

if TYPE_CHECKING:
    import torch

    from hpc_dl.train.world import World

TIMEOUT = 60.0
"""Seconds that a rank waits for the others."""
CONNECT_SECONDS = 10.0
MEGABYTE = 10**6
BLOCK = os.urandom(2**22)
FILE_BLOCKS, TEMPORARY_BLOCKS, SMALL_FILES = 32, 16, 200
REDUCED_NUMBERS, REDUCTIONS = 2**24, 5


def run(folder: Path) -> int:
    """Examine this node as one rank of the job; return the exit code."""
    job = RunDir(folder)
    rank_info = registry.find_rank_info(job, os.environ)
    report = Report(rank_info.rank, rank_info.local_rank, socket.gethostname())
    try:
        _examine(report, job, records.load(job.plan, Plan), rank_info)
    except Exception as error:
        report.error = str(error) or type(error).__name__
        if isinstance(error, UserError):
            report.error, report.hint = error.message, error.hint
        report.save(job)
        sys.stderr.write(f"error: {report.error}\n")
        return EXIT_FAILED
    return 0


def _examine(report: Report, job: RunDir, plan: Plan, rank_info: RankInfo) -> None:
    report.begin("the look at the node", job)
    _node(report, plan)
    report.begin("the import of torch", job)
    report.torch = torch_trial.examine()
    world_module = importlib.import_module("hpc_dl.train.world")
    report.begin("the meeting of the ranks", job)
    log = _log_of_nccl(job, report.rank)
    with world_module.join(job, plan, rank_info, TIMEOUT) as world:
        _device(report, world)
        if world.size > 1:
            report.begin("the clocks", job)
            _clock(report, world)
            report.begin("the locks", job)
            _locks(report, job, world)
            report.begin("the all-reduce", job)
            _all_reduce(report, world)
        report.begin("the speed of the file system", job)
        _speed(report, job, world)
    report.network = _networks(log)
    report.begin(DONE, job)


def _node(report: Report, plan: Plan) -> None:
    report.python = platform.python_version()
    report.cpus = len(os.sched_getaffinity(0))
    temporary = Path(tempfile.gettempdir())
    report.temporary, report.temporary_free = str(temporary), shutil.disk_usage(temporary).free
    report.temporary_filesystem, _ = folder_trial.filesystem(temporary)
    if report.local_rank == 0:
        with tempfile.TemporaryFile() as file:
            report.temporary_speed = _write(file, TEMPORARY_BLOCKS)
    report.sees_data = Path(plan.data_root).is_dir()
    if plan.tracking_uri.startswith("http"):
        report.store_fault = _connect(plan.tracking_uri)


def _connect(uri: str) -> str:
    """Return why a tracking server cannot be reached; empty if it can."""
    server = urlsplit(uri)
    port = server.port or (443 if server.scheme == "https" else 80)
    try:
        socket.create_connection((server.hostname or "", port), CONNECT_SECONDS).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _device(report: Report, world: World) -> None:
    import torch

    from hpc_dl.train import address

    report.device = world.device.type
    if report.device == "cuda":
        found = torch.cuda.get_device_properties(world.device)
        report.gpu = f"{found.name} {found.uuid}"
    if world.address:
        report.interface = address.interface_towards(*world.address)


def _clock(report: Report, world: World) -> None:
    """Compare the clocks at the end of a collective, which all ranks reach within milliseconds."""
    world.gather([0.0])
    times = world.gather([time.time()])
    report.clock_ahead = times[world.rank][0] - times[0][0]


def _locks(report: Report, job: RunDir, world: World) -> None:
    """Lock a file in rank 0, and try to in the others; and see how soon they see the file."""
    path = job.path / "locked"
    world.gather([0.0])
    began = time.monotonic()
    if world.rank == 0:
        path.touch()
    wait_until(lambda: path.name in os.listdir(path.parent), TIMEOUT / 2, 0.005)  # noqa: PTH208
    report.seen_after = time.monotonic() - began
    for name, lock in (("locks", try_lock), ("record_locks", folder_trial.try_record_lock)):
        with path.open("r+") as file:
            first = world.gather([_number(lock(file.fileno()) if world.rank == 0 else None)])
            if world.rank:
                ours = lock(file.fileno())
                setattr(report, name, folder_trial.judge(_truth(first[0][0]), lambda: ours))  # noqa: B023
            world.gather([0.0])  # rank 0 holds it until then


def _number(lock: bool | None) -> float:
    return -1.0 if lock is None else float(lock)


def _truth(number: float) -> bool | None:
    return None if number < 0 else bool(number)


def _all_reduce(report: Report, world: World) -> None:
    """Measure the bus bandwidth, as nccl-tests define it: 2 (n - 1) / n bytes a byte of data."""
    import torch

    values = torch.ones(REDUCED_NUMBERS, device=world.device)
    seconds = []
    for _ in range(1 + REDUCTIONS):
        values.fill_(1.0)
        _synchronise(world.device)
        began = time.monotonic()
        world.sum(values)
        _synchronise(world.device)
        seconds.append(time.monotonic() - began)
    if not bool((values == world.size).all()):
        raise UserError(f"the sum of {world.size} ones over the ranks is {values[0].item():g}")
    moved = 2 * (world.size - 1) / world.size * values.numel() * values.element_size()
    report.bandwidth = moved / statistics.median(seconds[1:]) / 1e9


def _synchronise(device: torch.device) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _speed(report: Report, job: RunDir, world: World) -> None:
    """Write a file on each node, and read that of another node, which this one has not cached."""
    local_ranks = [row[0] for row in world.gather([float(report.local_rank)])]
    leaders = [rank for rank, local in enumerate(local_ranks) if local == 0]
    is_leader = report.local_rank == 0
    if is_leader:
        with _speed_file(job, world.rank).open("wb") as file:
            report.write_speed = _write(file, FILE_BLOCKS)
    world.gather([0.0])
    if is_leader:
        other = leaders[(leaders.index(world.rank) + 1) % len(leaders)]
        report.read_speed = _read(_speed_file(job, other))
    world.gather([0.0])
    if is_leader:
        _speed_file(job, world.rank).unlink()
        report.files_per_second = _small_files(job.path / f"small-{world.rank}")


def _speed_file(job: RunDir, rank: int) -> Path:
    return job.path / f"speed-{rank}"


def _write(file: BinaryIO, blocks: int) -> float:
    """Write blocks to the disk; return megabytes a second."""
    began = time.monotonic()
    for _ in range(blocks):
        file.write(BLOCK)
    file.flush()
    os.fsync(file.fileno())
    return blocks * len(BLOCK) / (time.monotonic() - began) / MEGABYTE


def _read(path: Path) -> float:
    """Read a file, not from this node's cache if that can be helped; return megabytes a second."""
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        began, size = time.monotonic(), 0
        while block := file.read(len(BLOCK)):
            size += len(block)
    return size / (time.monotonic() - began) / MEGABYTE


def _small_files(folder: Path) -> float:
    """Make, read and remove small files; return how many of them a second."""
    folder.mkdir()
    began = time.monotonic()
    for number in range(SMALL_FILES):
        file = folder / str(number)
        file.write_bytes(BLOCK[:1024])
        file.read_bytes()
        file.unlink()
    rate = SMALL_FILES / (time.monotonic() - began)
    folder.rmdir()
    return rate


def _log_of_nccl(job: RunDir, rank: int) -> Path:
    """Have NCCL say in a file which network it takes."""
    log = job.path / f"nccl-{rank}.log"
    os.environ.setdefault("NCCL_DEBUG", "INFO")
    os.environ.setdefault("NCCL_DEBUG_FILE", str(log))
    return log


def _networks(log: Path) -> list[str]:
    """Return NCCL's lines about its networks, such as `NET/IB : Using [0]mlx5_0:1/IB`."""
    if not log.is_file():
        return []
    text = log.read_text(errors="replace")
    return list(dict.fromkeys(re.findall(r"NCCL INFO (NET/\w+ : Using .*|Using network .*)", text)))


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))
