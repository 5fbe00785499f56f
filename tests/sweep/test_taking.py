"""Taking of units: each by one task, also where tasks die, are requeued, or come all at once."""

import multiprocessing
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from hpc_dl.run.lease import Holder
from hpc_dl.run.process_identity import Process
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import JobStatus
from hpc_dl.sweep import folder, taking
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.method import EveryTrial
from hpc_dl.sweep.trial import Result, Trial, Unit


def new_sweep(root: Path, trials: int) -> SweepDir:
    sweep = folder.create(root, "toy", 0o700)
    folder.add_trials(sweep, [Trial(it, {"train.seed": it}) for it in range(1, trials + 1)])
    return sweep


def holder(
    job: str = "1", restarts: int = 0, backend: str = "local", process: Process | None = None
) -> Holder:
    submission = Submission(backend, job, os.uname().nodename, time.time())
    return Holder(submission, restarts, process or Process.own(), os.uname().nodename, time.time())


def dead_process() -> Process:
    """Return the identity of a process that has ended."""
    child = subprocess.Popen(["sleep", "60"])
    alive = Process.own()._replace(pid=child.pid)
    child.kill()
    child.wait()
    return alive


def take(sweep: SweepDir, who: Holder, *, may_begin: bool = True) -> Unit | None:
    return taking.take(sweep, EveryTrial(), who, may_begin=may_begin)


def take_all(path: Path, gate: object, taken: object) -> None:
    """Take units until there are none, as a process of its own."""
    gate.wait()  # type: ignore[attr-defined]
    mine = []
    while (unit := take(SweepDir(path), holder(str(os.getpid())))) is not None:
        mine.append(unit.trial)
        folder.write_result(SweepDir(path), Result(unit.trial, 0, "completed"))
    taken.put(mine)  # type: ignore[attr-defined]


def test_64_tasks_that_take_at_once_take_every_trial_once(tmp_path: Path) -> None:
    sweep = new_sweep(tmp_path, 100)
    context = multiprocessing.get_context("fork")
    gate, taken = context.Barrier(64), context.Queue()
    tasks = [context.Process(target=take_all, args=(sweep.path, gate, taken)) for _ in range(64)]
    for task in tasks:
        task.start()
    found = [number for _ in tasks for number in taken.get(timeout=60)]
    for task in tasks:
        task.join()
    assert sorted(found) == list(range(1, 101))


def test_the_unit_of_a_dead_task_is_taken_again_once_all_others_are_taken(tmp_path: Path) -> None:
    sweep = new_sweep(tmp_path, 2)
    assert take(sweep, holder("dead", process=dead_process())) == Unit(1)
    assert [take(sweep, holder()) for _ in range(3)] == [Unit(2), Unit(1), None]


def test_the_unit_of_a_live_task_is_not_taken_again(tmp_path: Path) -> None:
    sweep = new_sweep(tmp_path, 1)
    assert take(sweep, holder("live")) == Unit(1)
    assert take(sweep, holder("other")) is None


def test_a_unit_with_a_result_is_not_taken_again_though_its_task_is_dead(tmp_path: Path) -> None:
    sweep = new_sweep(tmp_path, 1)
    take(sweep, holder("dead", process=dead_process()))
    folder.write_result(sweep, Result(1, 0, "completed"))
    assert take(sweep, holder()) is None


def test_a_requeued_job_finds_its_own_unit_and_no_other_ones(tmp_path: Path) -> None:
    sweep = new_sweep(tmp_path, 2)
    take(sweep, holder("7_1", backend="slurm"))
    take(sweep, holder("7_2", backend="slurm"))
    assert taking.own(sweep, holder("7_2", restarts=1, backend="slurm")) == [Unit(2)]


@pytest.mark.parametrize(
    ("phase", "taken"),
    [("ended", Unit(1)), ("lost", Unit(1)), ("queued", None), ("running", None), ("unknown", None)],
)
def test_a_cluster_says_whether_the_job_of_a_claim_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: str, taken: Unit | None
) -> None:
    """A job that waits after a requeue is alive, and so is one of a cluster out of reach."""
    sweep = new_sweep(tmp_path, 1)
    take(sweep, holder("7_1", backend="slurm", process=dead_process()))
    monkeypatch.setattr(registry, "query", lambda jobs: [JobStatus(phase)] * len(jobs))  # type: ignore[arg-type]
    assert take(sweep, holder("7_2", backend="slurm")) == taken


class _Promoting(EveryTrial):
    """Promotes the first trial once it has paused."""

    def promotions(self, results: Mapping[Unit, Result]) -> list[Unit]:
        return [Unit(1, 1)] if Unit(1) in results else []


def test_promotions_come_before_new_trials_and_are_for_tasks_that_begin_none(
    tmp_path: Path,
) -> None:
    sweep = new_sweep(tmp_path, 2)
    assert taking.take(sweep, _Promoting(), holder(), may_begin=True) == Unit(1)
    assert taking.take(sweep, _Promoting(), holder(), may_begin=False) is None
    folder.write_result(sweep, Result(1, 0, "paused"))
    assert taking.take(sweep, _Promoting(), holder(), may_begin=False) == Unit(1, 1)
    assert taking.take(sweep, _Promoting(), holder(), may_begin=True) == Unit(2)
