"""How far a sweep has come: its trials by state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpc_dl.jobspec.units import count
from hpc_dl.sweep import budget, folder, info, methods, taking
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.method import candidates
from hpc_dl.sweep.trial import Result, Trial, Unit

if TYPE_CHECKING:
    from hpc_dl.jobspec.job import JobSpec

_ORDER = (
    *("completed", "running", "promoted", "waiting", "paused"),
    *("pruned", "failed", "lost", "cancelled"),
)


@dataclass(frozen=True)
class TrialProgress:
    """A trial, the newest of its results, and what it does now."""

    trial: Trial
    state: str
    """As of a result, or `running`, `lost` (its job has died), `promoted` (it goes on, and no task
    has taken it yet) or `waiting`."""
    result: Result | None = None


def read(sweep: SweepDir, *, ask: bool = True) -> list[TrialProgress]:
    """Return the trials in their order; `ask` the scheduler which of the jobs are dead."""
    results, trials = folder.read_results(sweep), folder.read_trials(sweep)
    newest = {unit.trial: result for unit, result in sorted(results.items())}
    running = set(taking.running(sweep))
    lost = {unit for unit, _ in taking.abandoned(sweep)} if ask else set[Unit]()
    busy = dict.fromkeys(_promoted(sweep, trials, results), "promoted")
    busy |= {unit.trial: "lost" if unit in lost else "running" for unit in running}
    found = []
    for trial in trials:
        last = newest.get(trial.number)
        state = busy.get(trial.number) or (last.state if last else "waiting")
        found.append(TrialProgress(trial, state, last))
    return found


def _promoted(
    sweep: SweepDir, trials: Sequence[Trial], results: Mapping[Unit, Result]
) -> list[int]:
    """Return the trials that go on, and that no task has taken."""
    if not any(it.state == "paused" for it in results.values()):
        return []
    if not info.section(sweep).has_rungs:
        return []
    from hpc_dl.jobspec.load import load_resolved  # takes long to import

    taken = folder.claims(sweep)
    method = methods.method_of(load_resolved(sweep.spec), trials)
    return [it.trial for it in method.promotions(results) if it not in taken]


def counts(trials: Sequence[TrialProgress]) -> Counter[str]:
    """Return how many trials are in each state."""
    return Counter(it.state for it in trials)


def describe(trials: Sequence[TrialProgress]) -> str:
    """Say how many trials there are, and in which states."""
    numbers = counts(trials)
    states = ", ".join(f"{numbers[it]} {it}" for it in _ORDER if numbers[it])
    return f"{count(len(trials), 'trial')}: {states}"


def units_left(sweep: SweepDir, spec: JobSpec) -> int:
    """Return how many units may be taken now, or have lost their job; once the budget is used, no
    trial begins."""
    results, taken = folder.read_results(sweep), folder.claims(sweep)
    trials = folder.read_trials(sweep)
    method = methods.method_of(spec, trials)
    may_begin = not budget.is_over(spec, results.values())
    ready = candidates(method, trials, taken, results)
    return sum(may_begin or it.rung > 0 for it in ready) + len(taking.abandoned(sweep))


def is_complete(sweep: SweepDir, spec: JobSpec) -> bool:
    """Return whether nothing is left to train, nor is being trained; failed trials are finished."""
    states = {it.state for it in read(sweep, ask=False)}
    return not states & {"running", "cancelled"} and not units_left(sweep, spec)
