"""The median rule (Golovin et al. 2017, section 3.2.2), as Optuna's MedianPruner has it.

A trial is stopped whose best value so far is worse than the median of the values that the complete
trials had after the same epoch, of which there have to be five.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from hpc_dl.run import journal
from hpc_dl.run.layout import DamagedFile, RunDir, write_atomic
from hpc_dl.sweep import folder, outcome
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.goal import Goal

Curve = Mapping[int, float]
"""Values of a metric by the epochs that they were measured after."""
_POLL_SECONDS = 1.0


def is_worse(curve: Curve, others: Iterable[Curve], goal: Goal) -> bool:
    """Return whether the median rule stops a trial with this curve; `others` are complete."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction=goal, pruner=optuna.pruners.MedianPruner())
    for other in others:
        study.add_trial(optuna.create_trial(value=0.0, intermediate_values=dict(other)))
    asked = study.ask()
    for epoch, value in curve.items():
        asked.report(value, epoch)
    return bool(asked.should_prune())


class Watch:
    """Follows the journal of a run, and asks it to pause once it is worse than the median."""

    def __init__(self, sweep: SweepDir, run: RunDir, metric: str, goal: Goal) -> None:
        self._sweep, self._run, self._metric, self._goal = sweep, run, metric, goal
        self._offset = 0
        self._curve: dict[int, float] = {}
        self._complete: dict[int, Curve] = {}

    def until(self, ended: threading.Event) -> None:
        """Look at each new value, until one is worse or the run has ended."""
        while not ended.wait(_POLL_SECONDS):
            if self._read() and is_worse(self._curve, self._others(), self._goal):
                epoch = max(self._curve)
                why = f"worse than the median of the complete trials after epoch {epoch}"
                write_atomic(self._run.pause, why)
                return

    def _read(self) -> bool:
        """Return whether the journal has new values."""
        before = len(self._curve)
        for event, _, end in journal.read(self._run.journal, self._offset, kinds=("metrics",)):
            self._offset = end
            self._curve |= outcome.values_of(event, self._metric)
        return len(self._curve) > before

    def _others(self) -> Iterable[Curve]:
        for unit, result in folder.read_results(self._sweep).items():
            if result.state == "completed" and unit.trial not in self._complete:
                try:
                    events = [*journal.view(self._sweep.run(unit.trial).journal)]
                except DamagedFile:
                    continue
                curve: dict[int, float] = {}
                for event in events:
                    if event["event"] == "metrics":
                        curve |= outcome.values_of(event, self._metric)
                self._complete[unit.trial] = curve
        return self._complete.values()
