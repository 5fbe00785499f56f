"""The run of a trial is the run that a user would get by typing the trial's values."""

from pathlib import Path

import pytest

from hpc_dl.cli import job_request
from hpc_dl.cli.sweeps import start, trial_run
from hpc_dl.jobspec.load import load
from hpc_dl.scheduler import registry
from hpc_dl.sweep import folder, info
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.space import words
from tests.support import typed

JOB = """\
name: toy
model: {name: ffnn}
data: {name: digits, batch_size: 200}
train: {epochs: 2}
sweep: {parameters: {train.optimizer.name: [adamw, sgd], model.name: [ffnn, cnn]}}
"""


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepDir:
    typed.use_settings(monkeypatch, tmp_path)
    job = job_request.read(Path(typed.job_file(tmp_path, JOB)), [], None)
    scheduler = registry.get("local")
    request = start.read(job, None, scheduler)
    return start.create(request, job.plan(tmp_path / "run", scheduler), scheduler)


def test_each_trial_trains_what_its_values_typed_would_train(
    sweep: SweepDir, tmp_path: Path
) -> None:
    known = info.load(sweep)
    for trial in folder.read_trials(sweep):
        asked = trial_run.request(sweep, known, trial).spec
        assert asked.training() == load(tmp_path / "job.yaml", words(trial)).training()
        assert (asked.name, asked.sweep) == (sweep.id, None)


def test_the_run_of_a_trial_has_the_facts_of_a_run_by_itself(
    sweep: SweepDir, tmp_path: Path
) -> None:
    """The default split of the data is that of today, though the sweep's file does not write it."""
    (first, *_), known = folder.read_trials(sweep), info.load(sweep)
    alone = job_request.read(tmp_path / "job.yaml", words(first), None)
    asked = trial_run.request(sweep, known, first)
    assert asked.facts == alone.facts
    assert asked.fingerprint == alone.fingerprint
