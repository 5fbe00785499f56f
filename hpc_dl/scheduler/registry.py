"""Registry of schedulers: the folders beside this file, and entry points `hpc_dl.schedulers`."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

from hpc_dl.errors import UserError
from hpc_dl.planning.site import Site
from hpc_dl.run import records
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo, single_rank
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler.base import Job, JobStatus, Scheduler

ENTRY_POINTS = "hpc_dl.schedulers"
LOCAL = "local"


def built_in() -> list[str]:
    """Return the names of the shipped schedulers, in alphabetical order."""
    path = importlib.import_module("hpc_dl.scheduler").__path__
    return sorted(module.name for module in pkgutil.iter_modules(path) if module.ispkg)


@functools.cache
def get(name: str) -> Scheduler:
    """Return the scheduler of a name. Raises UserError where none is registered."""
    if name in built_in():
        loaded = importlib.import_module(f"hpc_dl.scheduler.{name}.scheduler").SCHEDULER
    else:
        found = {point.name: point for point in metadata.entry_points(group=ENTRY_POINTS)}
        if name not in found:
            known = ", ".join(sorted({*built_in(), *found}))
            raise UserError(
                f"there is no scheduler '{name}'",
                hint=f"There are: {known}. A package adds one by the entry point {ENTRY_POINTS}.",
            )
        try:
            loaded = found[name].load()
        except Exception as error:  # a package's own code may raise anything
            raise UserError(
                f"the scheduler '{name}' cannot be imported: {error}",
                hint=f"{found[name].value} comes from an installed package: mend it, or install it "
                "again.",
            ) from None
    scheduler: Scheduler = loaded()
    return scheduler


def choose(site: Site, *, local: bool) -> Scheduler:
    """Return the site's scheduler, or the local one where that is asked for or the only one."""
    return get(LOCAL) if local or not get(site.scheduler).is_available() else get(site.scheduler)


def query(jobs: Sequence[Job]) -> list[JobStatus]:
    """Return the status of each job, in their order; each scheduler is asked once."""
    by_name: dict[str, list[int]] = {}
    for number, job in enumerate(jobs):
        by_name.setdefault(job.submission.backend, []).append(number)
    found: dict[int, JobStatus] = {}
    for name, numbers in by_name.items():
        found |= zip(numbers, _query(name, [jobs[number] for number in numbers]), strict=True)
    return [found[number] for number in range(len(jobs))]


def _query(name: str, jobs: list[Job]) -> list[JobStatus]:
    try:
        return get(name).query(jobs)
    except UserError as error:  # the package of this scheduler is not installed here
        return [JobStatus("unknown", error.message)] * len(jobs)


def is_local(submission: Submission) -> bool:
    """Return whether a job's status is known only on its own machine."""
    try:
        return get(submission.backend).on_this_machine
    except UserError:
        return False


def is_alive(run: RunDir, submission: Submission) -> str:
    """Return what its scheduler says of a job: `yes`, `no`, `ending` or `unknown`."""
    if is_local(submission):
        return "unknown"  # another machine, or another boot of it
    (status,) = query([Job(run, submission)])
    if status.is_ending:
        return "ending"
    answers = {"queued": "yes", "running": "yes", "ended": "no", "lost": "no"}
    return answers.get(status.phase, "unknown")


def find_rank_info(run: RunDir, environment: Mapping[str, str]) -> RankInfo:
    """Return the rank of this process; without a scheduler it is the only one.

    The scheduler that the run is planned for is asked first: a job of one may run within another's.
    """
    first = planned(run)
    for scheduler in [*([first] if first else []), *map(get, built_in())]:
        if found := scheduler.rank_info(environment):
            return found
    return single_rank(LOCAL)


def planned(run: RunDir) -> Scheduler | None:
    """Return the scheduler that a run is planned for.

    None if its plan is damaged, or the scheduler's package is not installed here.
    """
    try:
        return get(records.load(run.plan, _Planned).backend)
    except UserError:
        return None


@dataclass(frozen=True)
class _Planned:
    """The part of a plan that names its scheduler."""

    backend: str
