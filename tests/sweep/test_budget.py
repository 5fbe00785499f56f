"""The budget of a sweep: once it is used, what has begun goes on, and nothing else begins."""

from pathlib import Path

import pytest

from hpc_dl.jobspec.job import JobSpec
from hpc_dl.sweep import budget, folder, progress
from hpc_dl.sweep.trial import Result, Trial, Unit


def spec(hours: float, gpus: int = 0) -> JobSpec:
    values = {
        "name": "toy",
        "model": {"name": "ffnn"},
        "data": {"name": "digits"},
        "train": {"epochs": 9},
        "resources": {"gpus_per_node": gpus},
        "sweep": {
            "parameters": {"train.optimizer.lr": [0.1, 0.2, 0.3]},
            "method": "asha",
            "goal": "maximize",
            "gpu_hours": hours,
        },
    }
    return JobSpec.model_validate(values)


def part(trial: int, rung: int, seconds: float) -> Result:
    return Result(trial, rung, "paused", 0.1 * trial, seconds=seconds)


@pytest.mark.parametrize(("gpus", "hours"), [(0, 1.5), (1, 1.5), (4, 6.0)])
def test_the_parts_of_a_trial_count_once_for_each_of_its_gpus(gpus: int, hours: float) -> None:
    results = [part(1, 0, 600), part(1, 1, 1800), part(2, 0, 3600)]
    resources = spec(1, gpus).resources
    assert budget.used(results, resources, 1) == pytest.approx(hours)
    assert budget.used(results, resources, 3) == pytest.approx(hours / 3)


@pytest.mark.parametrize(("hours", "left"), [(0.9, 1), (1.1, 2)])
def test_a_used_budget_leaves_promotions_alone(tmp_path: Path, hours: float, left: int) -> None:
    sweep = folder.create(tmp_path, "toy", 0o700)
    folder.add_trials(sweep, [Trial(number, {}) for number in range(1, 5)])
    for number in (1, 2, 3):
        folder.claim(sweep, Unit(number), 1, {})
        folder.write_result(sweep, part(number, 0, 1200))
    assert progress.units_left(sweep, spec(hours)) == left
