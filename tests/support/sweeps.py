"""Sweeps for tests, whose trials have journals and results without having been trained."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from hpc_dl.jobspec import spec_file
from hpc_dl.jobspec.sweep import Sweep
from hpc_dl.run import layout, records
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.sweep import folder, info, membership
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.info import Info
from hpc_dl.sweep.trial import Result, Trial
from tests.support.stores import run_for, write_history

KEY = "train.optimizer.lr"


def sweep_of(uri: str, root: Path, rates: Sequence[float]) -> SweepDir:
    """Make a sweep of a trial a learning rate, each with a journal of ten steps."""
    prepared = run_for(uri, root)
    sweep = folder.create(root, "quick", layout.PRIVATE)
    spec = records.load_spec(prepared)
    swept = Sweep.model_validate({"parameters": {KEY: list(rates)}})
    sweep.spec.write_text(spec_file.dump(spec.model_copy(update={"sweep": swept})))
    for path in (prepared.plan, prepared.provenance):
        shutil.copy(path, sweep.path)
    about = Info(str(root / "job.yaml"), [], "", "val/loss", "minimize", 0.0, "local")
    info.save(sweep, about)
    trials = [Trial(it, {KEY: rate}, None, it) for it, rate in enumerate(rates, 1)]
    folder.add_trials(sweep, trials)
    for trial in trials:
        run = sweep.run(trial.number)
        shutil.copytree(prepared.path, run.path)
        text = run.spec.read_text()
        assert "lr: 0.001\n" in text
        run.spec.write_text(text.replace("lr: 0.001\n", f"lr: {trial.values[KEY]}\n"))
        membership.write(run, sweep, trial)
        journal_training(run)
    shutil.rmtree(prepared.path)
    return sweep


def journal_training(run: RunDir) -> None:
    """Journal a whole training."""
    log = Journal(run.journal)
    write_history(log, 1, 10)
    log.append("state", state="completed", reason="all steps")
    log.close()


def finish(sweep: SweepDir, trial: int, value: float, seconds: float) -> None:
    """Write the result of a trial, as at a time in seconds since 1970."""
    folder.write_result(sweep, Result(trial, 0, "completed", value, step=10, epoch=1))
    (file,) = sweep.results.glob(f"*{trial}-0.json")
    os.utime(file, (seconds, seconds))
