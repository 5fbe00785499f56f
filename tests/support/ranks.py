"""Ranks of a run as forks of a warm process: a start takes tenths of a second, not five.

What is tested here is the worker and what it leaves in the run folder; submission, launchers and
tracking have tests of their own. A sabotage is called in a rank before it begins.
"""

import contextlib
import itertools
import multiprocessing
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal
from hpc_dl.run.failure import NoProgress
from hpc_dl.run.layout import RunDir, read_json
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.scheduler.local import task
from hpc_dl.scheduler.registry import find_rank_info
from tests.support.running import events
from tests.support.waiting import wait_until

Sabotage = Callable[[], None]

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.warm"])
_ATTEMPTS = itertools.count()


def start(
    run: RunDir, sabotage: Sabotage | None = None, victim: int | None = 0, *, drawing: bool = False
) -> list[BaseProcess]:
    """Start every rank of the plan, the `victim` (None: each) with the sabotage.

    Without `drawing` the pictures are black: drawing takes longer than a short training.
    """
    attempt, processes = f"{os.getpid()}.{next(_ATTEMPTS)}", []
    ranks = Plan.from_json(read_json(run.plan)).world_size
    for rank in range(ranks):
        rank_info = RankInfo(rank, ranks, rank, ranks, attempt, attempt, 0)
        arguments = (run, rank_info, sabotage if victim in (rank, None) else None, drawing)
        # Not daemonic, for those may have no processes of their own, and a rank has workers.
        process = _CONTEXT.Process(target=_rank, args=arguments)
        process.start()
        processes.append(process)
    return processes


def start_job(run: RunDir, sabotage: Sabotage | None = None, size: int = 2) -> list[BaseProcess]:
    """Start the worker of each task of a job, without tracking and without a launcher.

    Only the ranks themselves end those that are left; the sabotage is called in each.
    """
    attempt, processes = f"{os.getpid()}{next(_ATTEMPTS)}", []
    for rank in range(size):
        process = _CONTEXT.Process(target=_job, args=(run, rank, size, attempt, sabotage))
        process.start()
        processes.append(process)
    return processes


def _job(run: RunDir, rank: int, size: int, attempt: str, sabotage: Sabotage | None) -> None:
    launched = {"GLOBALID": str(rank), "NTASKS": str(size), "JOB_ID": attempt}
    os.environ.update({f"SUBMITIT_LOCAL_{name}": value for name, value in launched.items()})
    _log(run, find_rank_info(run, os.environ))
    from hpc_dl import worker

    worker._start_tracking = lambda run: None  # type: ignore[assignment, return-value]
    task.stop_ranks = lambda rank_info: None
    if sabotage is not None:
        sabotage()
    worker.TrainJob(str(run.path))()


def train(run: RunDir, *, drawing: bool = False) -> RunDir:
    """Train a run, and fail unless it is completed."""
    with ended(start(run, drawing=drawing)) as processes:
        for process in processes:
            process.join(120)
    state, _ = journal.last_state(run.journal)
    assert state == "completed", "".join(log.read_text() for log in run.logs.glob("*.log"))
    return run


def kill_at(run: RunDir, step: int) -> None:
    """Start a run, and kill -9 all ranks once it has journalled a step at or after `step`."""
    with ended(start(run)):
        wait_for_step(run, step)


def wait_for_step(run: RunDir, step: int) -> None:
    """Wait until the newest attempt has journalled a step at or after `step`."""
    wait_until(
        lambda: any(event["step"] >= step for event in events(run, "metrics", since_start=True)),
        timeout=120,
        interval=0.002,
        message=f"{run.id} to reach step {step}",
    )


def call_on_all(
    function: Callable[..., Any], size: int, folder: Path, *arguments: Any, gpus: int = 0
) -> Any:
    """Call a function on `size` ranks that have joined; return what rank 0 returns.

    It is given the world, and the arguments. With `gpus`, each rank has one.
    """
    run, answer = RunDir(folder), folder / "answer.pkl"
    attempt, processes = f"{os.getpid()}.{next(_ATTEMPTS)}", []
    run.logs.mkdir(exist_ok=True)
    for rank in range(size):
        rank_info = RankInfo(rank, size, rank, size, attempt, attempt, 0)
        process = _CONTEXT.Process(
            target=_call, args=(run, rank_info, answer, function, arguments, gpus)
        )
        process.start()
        processes.append(process)
    with ended(processes):
        for process in processes:
            process.join(120)
    assert answer.exists(), "".join(log.read_text() for log in run.logs.glob(f"{attempt}-*"))
    return pickle.loads(answer.read_bytes())


def _call(
    run: RunDir,
    rank_info: RankInfo,
    answer: Path,
    function: Callable[..., Any],
    arguments: Any,
    gpus: int,
) -> None:
    _log(run, rank_info)
    from hpc_dl.train.world import join

    plan = SimpleNamespace(cpus_per_task=1, gpus_per_node=gpus)
    with join(run, cast(Plan, plan), rank_info, 60.0) as world:
        found = function(world, *arguments)
        if rank_info.rank == 0:
            answer.write_bytes(pickle.dumps(found))


@contextlib.contextmanager
def ended(processes: list[BaseProcess]) -> Iterator[list[BaseProcess]]:
    """Kill the ranks at the end of the context."""
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.join()


def _log(run: RunDir, rank_info: RankInfo) -> None:
    """Redirect this process's output to the rank's log."""
    log = os.open(run.logs / f"{rank_info.attempt}-{rank_info.rank}.log", os.O_CREAT | os.O_WRONLY)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())


def _rank(run: RunDir, rank_info: RankInfo, sabotage: Sabotage | None, drawing: bool) -> None:
    _log(run, rank_info)
    from hpc_dl.train import main
    from hpc_dl.zoo.contract import Picture

    if not drawing:
        Picture.pixels = _black  # type: ignore[method-assign]
    os.environ["SUBMITIT_LOCAL_GLOBALID"] = str(rank_info.rank)  # for models that behave by rank
    if sabotage is not None:
        sabotage()
    main.run(run, rank_info, _hung)


def _black(_picture: object, _more: str = "") -> Any:
    return np.zeros((8, 8, 3), np.uint8)


def _hung(error: Exception) -> None:
    if isinstance(error, NoProgress):  # who has lost another is left to fail by itself
        sys.stderr.write(f"hung: {error}\n")
        sys.stderr.flush()
        os._exit(7)
