"""The task that submitit's local controller starts as each rank."""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hpc_dl.run.rank_info import RankInfo


@dataclass(frozen=True)
class LocalTask:
    """Trains a run, as one rank of it. Picklable; imports the worker when called."""

    run_dir: str
    mark: str
    visible_gpus: str | None
    """CUDA_VISIBLE_DEVICES as it was at submission: submitit numbers a job's GPUs from 0."""

    def __call__(self) -> str:
        found = rank_info(os.environ)
        if found and found.world_size > 1:
            # The controller announces its SIGKILL by SIGINT; see `stop_ranks`.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        if found:
            _remove_leftovers(found)
        if self.visible_gpus is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.visible_gpus
        worker = importlib.import_module("hpc_dl.worker")
        outcome: str = worker.TrainJob(self.run_dir, self.mark)()
        return outcome


def rank_info(environment: Mapping[str, str]) -> RankInfo | None:
    """Return the rank that submitit's controller has given this process."""
    if "SUBMITIT_LOCAL_GLOBALID" not in environment:
        return None
    size = int(environment["SUBMITIT_LOCAL_NTASKS"])
    rank = int(environment["SUBMITIT_LOCAL_GLOBALID"])
    job = environment["SUBMITIT_LOCAL_JOB_ID"]
    return RankInfo(rank, size, rank, size, f"{job}.0", job, 0, "local")


def stop_ranks(rank_info: RankInfo) -> None:
    """Have the controller end all ranks, as srun does with --kill-on-bad-exit."""
    if rank_info.world_size > 1:
        os.kill(os.getppid(), signal.SIGINT)


def _remove_leftovers(rank_info: RankInfo) -> None:
    """Remove the half-written result of a killed attempt, over which submitit would stumble."""
    if folder := os.environ.get("SUBMITIT_FOLDER"):
        for leftover in Path(folder).glob(f"{rank_info.job_id}_{rank_info.rank}_*.save_tmp"):
            leftover.unlink(missing_ok=True)
