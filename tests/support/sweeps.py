"""Sweeps for tests, whose trials have journals and results without having been trained."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from hpc_dl.run import layout
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.sweep import folder, membership
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.trial import Trial
from tests.support.stores import run_for, write_history


def sweep_of(uri: str, root: Path, rates: Sequence[float]) -> SweepDir:
    """Make a sweep of a trial a learning rate, each with a journal of ten steps."""
    prepared = run_for(uri, root)
    sweep = folder.create(root, "quick", layout.PRIVATE)
    trials = [Trial(it, {"train.optimizer.lr": rate}, None, it) for it, rate in enumerate(rates, 1)]
    folder.add_trials(sweep, trials)
    for trial in trials:
        run = sweep.run(trial.number)
        shutil.copytree(prepared.path, run.path)
        spec = run.spec.read_text()
        assert "lr: 0.001\n" in spec
        run.spec.write_text(
            spec.replace("lr: 0.001\n", f"lr: {trial.values['train.optimizer.lr']}\n")
        )
        membership.write(run, sweep, trial)
        end(run)
    shutil.rmtree(prepared.path)
    return sweep


def end(run: RunDir) -> None:
    """Journal a whole training."""
    log = Journal(run.journal)
    write_history(log, 1, 10)
    log.append("state", state="completed", reason="all steps")
    log.close()
