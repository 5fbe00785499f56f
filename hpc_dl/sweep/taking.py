"""Taking of units by the tasks of a sweep: each by one of them, also where tasks die.

A unit is taken by making its claim, which only one task can. The unit of a job that has ended
without a result is claimed anew, with the next number; a job that is requeued keeps its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from hpc_dl.run.layout import DamagedFile
from hpc_dl.run.lease import Holder
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import Job
from hpc_dl.sweep import folder
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.method import Method, candidates
from hpc_dl.sweep.trial import Result, Trial, Unit

_DEAD = ("ended", "lost")
"""Phases of a job that will not go on with its unit."""


def own(sweep: SweepDir, holder: Holder) -> list[Unit]:
    """Return the units that earlier attempts of this very job have taken and not finished."""
    return [
        unit
        for unit, _, earlier in _unfinished(sweep)
        if earlier is not None and earlier.is_earlier_attempt_of(holder)
    ]


def take(sweep: SweepDir, method: Method, holder: Holder, *, may_begin: bool) -> Unit | None:
    """Take the next unit, or return None if there is none for this task.

    Promotions come first, then a new trial if the task `may_begin` one, then the units of jobs
    that have died.
    """
    trials, results = folder.read_trials(sweep), folder.read_results(sweep)
    taken = folder.claims(sweep)
    for unit in _open(method, trials, taken, results, may_begin=may_begin):
        if folder.claim(sweep, unit, 1, holder.to_json()):
            return unit
    for unit, number in abandoned(sweep):
        if folder.claim(sweep, unit, number + 1, holder.to_json()):
            return unit
    return None


def _open(
    method: Method,
    trials: list[Trial],
    taken: dict[Unit, int],
    results: dict[Unit, Result],
    *,
    may_begin: bool,
) -> Iterator[Unit]:
    for unit in candidates(method, trials, taken, results):
        if may_begin or unit.rung:
            yield unit


def abandoned(sweep: SweepDir) -> list[tuple[Unit, int]]:
    """Return the units whose job is dead, with the numbers of their newest claims.

    Schedulers are asked once for all of them; a job of which nothing is known counts as alive.
    """
    found = [(unit, number, it) for unit, number, it in _unfinished(sweep) if it is not None]
    alive = _are_alive(sweep, [it for _, _, it in found])
    done = folder.finished(sweep)  # a task that has ended meanwhile wrote its result before
    return [
        (unit, number)
        for (unit, number, _), lives in zip(found, alive, strict=True)
        if not lives and unit not in done
    ]


def running(sweep: SweepDir) -> dict[Unit, Submission]:
    """Return the units that are claimed and have no result, with the jobs of their claims."""
    return {unit: it.submission for unit, _, it in _unfinished(sweep) if it is not None}


def _unfinished(sweep: SweepDir) -> list[tuple[Unit, int, Holder | None]]:
    """Return the claimed units without a result, with the number and holder of the newest claim."""
    claims = folder.claims(sweep)
    done = folder.finished(sweep)
    found = []
    for unit, number in claims.items():
        if unit not in done:
            try:
                holder = Holder.from_json(folder.holder(sweep, unit, number))
            except (DamagedFile, TypeError, KeyError, ValueError):
                holder = None
            found.append((unit, number, holder))
    return found


def _are_alive(sweep: SweepDir, holders: list[Holder]) -> list[bool]:
    local = [registry.is_local(it.submission) for it in holders]
    jobs = [
        Job(sweep.run(1), it.submission)
        for it, is_local in zip(holders, local, strict=True)
        if not is_local
    ]
    phases = iter(registry.query(jobs) if jobs else [])
    return [
        it.process.is_alive() is not False if is_local else next(phases).phase not in _DEAD
        for it, is_local in zip(holders, local, strict=True)
    ]
