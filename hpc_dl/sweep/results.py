"""All results of a sweep, read at once, as pictures and the page in MLflow show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from hpc_dl.comparison import curves
from hpc_dl.comparison.curves import Curve
from hpc_dl.run.layout import DamagedFile
from hpc_dl.sweep import folder, importance, info, progress, summary
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.goal import Goal
from hpc_dl.sweep.progress import TrialProgress
from hpc_dl.sweep.summary import Best, Configuration
from hpc_dl.sweep.trial import Result, Unit


@dataclass(frozen=True)
class Results:
    """What the trials have reached so far."""

    sweep: SweepDir
    metric: str
    goal: Goal
    trials: Sequence[TrialProgress]
    results: Mapping[Unit, Result]
    """In the order in which they came."""
    times: Mapping[Unit, float]
    """When each came, in seconds since 1970."""

    @cached_property
    def ranked(self) -> list[Configuration]:
        """The configurations with a score, the best first."""
        return summary.ranked(self.trials, self.goal)

    @property
    def scores(self) -> list[float]:
        """Their scores."""
        return [it.score for it in self.ranked if it.score is not None]

    @property
    def options(self) -> list[str]:
        """The names of the swept options that they have."""
        return list(dict.fromkeys(key for it in self.ranked for key in it.values))

    @property
    def has_seeds(self) -> bool:
        """True if scores are means over seeds."""
        return any(len(it.trials) > 1 for it in self.ranked)

    @cached_property
    def best_so_far(self) -> list[Best]:
        """The best score after each result."""
        trials = [it.trial for it in self.trials]
        return list(summary.best_so_far(trials, self.results, self.goal))

    @cached_property
    def importance(self) -> dict[str, float]:
        """The share of each option in what makes a good score; empty where it is not known."""
        if importance.why_not(self.ranked):
            return {}
        return importance.compute(self.ranked, self.goal)

    @cached_property
    def curves(self) -> dict[int, Curve]:
        """The metric of each trial that has begun, by step, without damaged ones."""
        found = {}
        for it in self.trials:
            try:
                curve = curves.of_metric(self.sweep.run(it.trial.number), self.metric)
            except DamagedFile:
                continue
            if curve:
                found[it.trial.number] = curve
        return found


def read(sweep: SweepDir) -> Results:
    """Read the results so far. Raises DamagedFile."""
    known, results, times = info.load(sweep), folder.read_results(sweep), folder.times(sweep)
    ordered = {unit: results[unit] for unit in times if unit in results}
    trials = progress.read(sweep, ask=False)
    return Results(sweep, known.metric, known.goal, trials, ordered, times)
