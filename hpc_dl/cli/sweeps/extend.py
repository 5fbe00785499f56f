"""`hpcdl sweep extend`: more trials of a sweep, also while it runs."""

from __future__ import annotations

from collections.abc import Sequence

from hpc_dl.cli.sweeps import start, trial_run
from hpc_dl.cli.sweeps.check import checked_trials
from hpc_dl.errors import UserError
from hpc_dl.jobspec import spec_file
from hpc_dl.run.layout import RunDir, write_atomic, writing_as
from hpc_dl.scheduler import registry
from hpc_dl.sweep import folder, info
from hpc_dl.sweep.folder import SweepDir

_EXTENDED = ("sweep.trials", "sweep.seeds", "sweep.configurations")
_OPTIONS = ("sweep.parameters.", "sweep.zip.", "sweep.cases")


def extend(sweep: SweepDir, words: Sequence[str]) -> int:
    """Add the trials that a sweep has with `words` in its spec, and tasks for them; return how
    many.

    Trials that it has stay as they are. Raises UserError where there are no others.
    """
    for word in words:
        key = word.partition("=")[0]
        if key not in _EXTENDED and not key.startswith(_OPTIONS):
            raise UserError(
                f"`{word}` adds no trials",
                hint="Write for example sweep.trials=60, or more values of an option: "
                "sweep.parameters.train.optimizer.lr=[1e-2,1e-3,1e-4].",
            )
    start.hand_over(sweep)
    known, begun = info.load(sweep), RunDir(sweep.path)
    scheduler = registry.get(known.backend)
    asked = trial_run.read_spec(sweep, known, words)
    trials = checked_trials(asked, scheduler, folder.read_trials(sweep))
    if not trials:
        raise UserError(f"{sweep.id} has all these trials already")
    with writing_as(begun):
        write_atomic(sweep.spec, spec_file.dump(asked.spec.without_password(), only_given=True))
        folder.add_trials(sweep, trials)
    what = sweep, asked.spec, asked.plan(sweep.path, scheduler), scheduler
    if scheduler.count_tasks(folder.arrays(sweep)):
        start.start_for(len(trials), *what)
    else:
        start.start_rest(*what)
    return len(trials)
