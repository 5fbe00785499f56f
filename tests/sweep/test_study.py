"""TPE: values are chosen as a trial begins, once, by the results of all tasks."""

import math
import multiprocessing
from pathlib import Path

import pytest

from hpc_dl.jobspec.sweep import Sweep
from hpc_dl.sweep import folder, space, study
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.trial import Result, Trial

pytest.importorskip("optuna")

SPACE = {
    "method": "tpe",
    "goal": "minimize",
    "trials": 40,
    "parameters": {
        "train.optimizer.lr": {"log_uniform": [1e-5, 1e-1]},
        "model.dropout": {"uniform": [0.0, 0.5]},
        "data.batch_size": [32, 64, 128],
    },
    "cases": [
        {"train.optimizer.name": "adam", "train.ema_decay": {"uniform": [0.9, 0.99]}},
        {"train.optimizer.name": "sgd", "model.depth": {"int_uniform": [1, 4]}},
    ],
}


def new_sweep(root: Path, trials: int) -> tuple[SweepDir, Sweep]:
    made = folder.create(root, "toy", 0o700)
    folder.add_trials(made, [Trial(it, {}) for it in range(1, trials + 1)])
    return made, Sweep.model_validate(SPACE)


def choose(sweep: SweepDir, spec: Sweep, number: int) -> Trial:
    return study.choose(sweep, spec, folder.read_trials(sweep)[number - 1])


def loss(trial: Trial) -> float:
    """Return how far a trial is from the best place."""
    values = trial.values
    return abs(math.log10(values["train.optimizer.lr"]) + 3) + values["model.dropout"]


def test_it_finds_better_values_than_random_ones_do(tmp_path: Path) -> None:
    sweep, spec = new_sweep(tmp_path, 40)
    for number in range(1, 41):
        trial = choose(sweep, spec, number)
        state = "failed" if number % 9 == 0 else "completed"
        value = math.nan if number % 11 == 0 else loss(trial)
        folder.write_result(sweep, Result(number, 0, state, value))
    chosen = folder.read_trials(sweep)
    late = sorted(map(loss, chosen[20:]))
    drawn = sorted(map(loss, space.trials(spec)[20:]))
    assert late[10] < 0.6 * drawn[10], "the median of the second half"
    assert {it.values["train.optimizer.name"] for it in chosen} == {"adam", "sgd"}
    for values in (it.values for it in chosen):
        is_adam = values["train.optimizer.name"] == "adam"
        assert ("train.ema_decay" in values, "model.depth" in values) == (is_adam, not is_adam)
        assert values["train.optimizer.lr"] == float(f"{values['train.optimizer.lr']:.6g}")


def test_values_are_chosen_once_and_by_the_seed_and_the_number(tmp_path: Path) -> None:
    sweep, spec = new_sweep(tmp_path, 3)
    first = choose(sweep, spec, 1)
    assert choose(sweep, spec, 1) == first, "its task has died, and another one begins it"
    assert choose(sweep, spec, 2).values != first.values
    other, _ = new_sweep(tmp_path, 3)
    assert choose(other, spec, 1).values == first.values
    assert [bool(it.values) for it in folder.read_trials(sweep)] == [True, True, False]


def begin(path: Path, numbers: list[int]) -> None:
    for number in numbers:
        choose(SweepDir(path), Sweep.model_validate(SPACE), number)


def test_tasks_that_choose_at_once_wait_for_each_other(tmp_path: Path) -> None:
    sweep, _ = new_sweep(tmp_path, 8)
    parts = [[1, 2], [3, 4], [5, 6], [7, 8]]
    tasks = [multiprocessing.Process(target=begin, args=(sweep.path, it)) for it in parts]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join(60)
    assert [task.exitcode for task in tasks] == [0] * 4
    values = [str(it.values) for it in folder.read_trials(sweep)]
    assert len({*values}) == 8
    assert "{}" not in values
