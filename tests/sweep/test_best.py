"""The best of a sweep: as a table, and as a job spec that can be submitted."""

import json

import pytest

from hpc_dl.cli import main
from hpc_dl.jobspec import load, spec_file
from hpc_dl.sweep import folder, info, summary
from hpc_dl.sweep.info import Info
from hpc_dl.sweep.progress import TrialProgress
from hpc_dl.sweep.trial import Result, Trial, Unit

SPEC = """\
name: quick
model: {name: ffnn, hidden: [32]}
data: {name: digits}
train: {epochs: 3, seed: 7, optimizer: {name: adamw, lr: 1e-3}}
sweep: {seeds: 2, parameters: {train.optimizer.lr: [0.1, 0.01, 0.001]}}
"""


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """Three learning rates with two seeds each, of which the first has failed once, and of the
    others 0.01 has the better mean and 0.001 the best single value."""
    monkeypatch.setenv("HPCDL_SITE", "generic")
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path))
    made = folder.create(tmp_path, "quick", 0o700)
    made.submitted.write_text(SPEC)
    made.spec.write_text(spec_file.dump(load.load(made.submitted)))
    about = Info(str(tmp_path / "x.yaml"), [], "", "val/loss", "minimize", 0.0, "local")
    info.save(made, about)
    number = 0
    for configuration, rate in enumerate([0.1, 0.01, 0.001], start=1):
        for seed in range(2):
            number += 1
            values = {"train.optimizer.lr": rate}
            folder.add_trials(made, [Trial(number, values, seed, configuration)])
    for trial, value in enumerate([0.1, 0.0, 0.4, 0.6, 0.2, 1.0], start=1):
        state = "failed" if trial == 2 else "completed"
        folder.write_result(made, Result(trial, 0, state, value, step=30, epoch=3))
    return made


def test_the_best_configuration_is_that_of_the_best_mean_over_all_its_seeds(sweep, capsys):
    assert main(["sweep", "best", "quick", "--top", "5"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["run", "val/loss", "seeds", "epochs", "state", "train.optimizer.lr"]
    assert rows[0].split("  ")[:2] == ["quick.s1-3 … quick.s1-4", "0.5 ± 0.14"]
    assert rows[1].split("  ")[:2] == ["quick.s1-5 … quick.s1-6", "0.6 ± 0.57"]
    assert len(rows) == 2  # one seed of the first has failed: it has no mean
    assert main(["sweep", "best", "quick", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["run"], found["value"]) == ("quick.s1-3", 0.5)
    assert found["values"] == {"train.optimizer.lr": 0.01}


def test_the_best_spec_is_the_users_own_with_the_best_values_and_can_be_submitted(sweep, capsys):
    file = sweep.root / "best.yaml"
    assert main(["sweep", "best", "quick", "-o", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    first = file.read_text().splitlines()[0]
    best = "val/loss 0.5 ± 0.14, over 2 seeds; quick.s1-3 is the best of them"
    assert first == f"# The best of 6 trials of quick.s1: {best}"
    spec = load.load(file)
    assert spec == load.load(sweep.submitted, ["train.optimizer.lr=0.01", "sweep=null"])
    assert load.load(file, ["sweep.seeds=5"]).sweep.seeds == 5
    assert main(["sweep", "best", "quick", "-o", str(file)]) == 2
    assert "--force replaces it" in capsys.readouterr().err


def test_a_sweep_without_results_says_that_it_has_no_best_yet(sweep, capsys):
    folder.forget_results(sweep, ("completed", "failed"))
    for words in (["best"], ["plot", "-o", str(sweep.root / "x.png")]):
        assert main(["sweep", *words[:1], "quick", *words[1:]]) == 1
        assert "of val/loss yet" in capsys.readouterr().err


def test_the_best_so_far_counts_configurations_whose_seeds_are_all_there():
    trials = [Trial(1, {}, 0, 1), Trial(2, {}, 1, 1), Trial(3, {}, 0, 2), Trial(4, {}, 1, 2)]
    values = {1: 0.9, 3: 0.1, 4: 0.5, 2: 0.7}
    results = {Unit(it): Result(it, 0, "completed", value) for it, value in values.items()}
    found = list(summary.best_so_far(trials, results, "maximize"))
    assert [(it.number, it.score) for it in found] == [(3, 0.3), (4, 0.8)]


def test_a_part_that_is_paused_counts_and_one_that_failed_does_not():
    def of(number, state, value):
        result = Result(number, 0, state, value)
        return TrialProgress(Trial(number, {"a": number}, None, number), state, result)

    trials = [of(1, "failed", 0.1), of(2, "paused", 0.3), of(3, "completed", 0.2)]
    assert [it.values["a"] for it in summary.ranked(trials, "minimize")] == [3, 2]
