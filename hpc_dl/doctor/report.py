"""Report of one rank of the doctor's job: written on the node as the rank goes on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpc_dl.run import records
from hpc_dl.run.layout import DamagedFile, RunDir, write_json

DONE = "done"


@dataclass
class Report:
    """What one rank has found. What it did not come to is None or empty."""

    rank: int
    local_rank: int
    host: str
    stage: str = "start"
    """What it is at, or was when it ended; `done` at the end."""
    error: str = ""
    hint: str = ""
    python: str = ""
    cpus: int = 0
    """Cores that it may use."""
    torch: dict[str, Any] = field(default_factory=dict)
    """As `torch_trial.examine` returns it."""
    device: str = ""
    gpu: str = ""
    """Name and UUID of its GPU."""
    interface: str = ""
    """The network interface through which it reaches rank 0."""
    network: list[str] = field(default_factory=list)
    """What NCCL says of the network that it uses."""
    bandwidth: float | None = None
    """Of an all-reduce, in 1e9 bytes a second: NCCL's bus bandwidth."""
    clock_ahead: float | None = None
    """By how many seconds the node's clock is ahead of that of rank 0."""
    locks: str | None = None
    record_locks: str | None = None
    """As `folder_trial.Trial` has them, between this rank and rank 0."""
    seen_after: float | None = None
    """After how many seconds it saw a file that rank 0 had written."""
    write_speed: float | None = None
    read_speed: float | None = None
    """In 1e6 bytes a second, in the run root; read is what another node wrote."""
    files_per_second: float | None = None
    """Small files made, read and removed there."""
    temporary: str = ""
    temporary_filesystem: str = ""
    temporary_free: int = 0
    temporary_speed: float | None = None
    sees_data: bool | None = None
    store_fault: str | None = None
    """Why it cannot connect to the tracking server; None where there is none."""

    def begin(self, stage: str, run: RunDir) -> None:
        """Note what comes next, and save what there is so far."""
        self.stage = stage
        self.save(run)

    def save(self, run: RunDir) -> None:
        write_json(folder(run) / f"{self.rank}.json", dataclasses.asdict(self))


def folder(run: RunDir) -> Path:
    """Return the folder of all reports of a job."""
    return run.path / "reports"


def load_all(run: RunDir, ranks: int) -> list[Report]:
    """Return the reports that are there, by rank."""
    found = []
    for rank in range(ranks):
        try:
            report = records.find(folder(run) / f"{rank}.json", Report)
        except DamagedFile:
            report = None
        if report:
            found.append(report)
    return found
