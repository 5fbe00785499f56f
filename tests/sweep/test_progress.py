"""How far a sweep has come, by states."""

from pathlib import Path

import pytest

from hpc_dl.cli import main
from hpc_dl.jobspec.load import load
from hpc_dl.jobspec.spec_file import dump
from hpc_dl.sweep import folder, mlflow_page, progress
from hpc_dl.sweep.trial import Result
from tests.support.sweeps import sweep_of


def test_a_sweep_is_not_over_while_a_promoted_trial_waits_for_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = sweep_of(f"sqlite:///{tmp_path}/mlflow.db", tmp_path, [0.1, 0.01, 0.001])
    spec = load(sweep.spec)
    assert spec.sweep is not None
    asha = spec.sweep.model_copy(update={"method": "asha", "goal": "minimize"})
    sweep.spec.write_text(dump(spec.model_copy(update={"sweep": asha})))
    for trial in (1, 2, 3):
        folder.write_result(sweep, Result(trial, 0, "paused", trial / 10, step=10, epoch=1))
    trials = progress.read(sweep)
    assert progress.describe(trials) == "3 trials: 1 promoted, 2 paused"
    assert mlflow_page._status(sweep, trials) == "RUNNING"
    monkeypatch.setenv("HPCDL_SITE", "generic")
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path))
    assert main(["sweep", "status", "quick"]) == 0
    assert "`hpcdl sweep resume quick.s1` goes on with them" in capsys.readouterr().out
