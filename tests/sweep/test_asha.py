"""ASHA and Hyperband: what is promoted follows from the results, whoever trains what, and when."""

import math
import random
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from hpc_dl.jobspec.job import JobSpec
from hpc_dl.sweep.asha import Asha, promoted
from hpc_dl.sweep.goal import Goal
from hpc_dl.sweep.hyperband import Hyperband, divide, sizes
from hpc_dl.sweep.method import Method, candidates
from hpc_dl.sweep.trial import Result, State, Trial, Unit
from tests.support.running import QUICK

Outcome = Callable[[Unit], Result]


def by_definition(order: list[int], scores: dict[int, float], eta: int) -> list[int]:
    """Return what is promoted: of the first n, for every n, the best floor(n / eta)."""
    found: list[int] = []
    for count in range(1, len(order) + 1):
        if not set(order[:count]) <= set(scores):
            break
        best = sorted(order[:count], key=lambda it: (scores[it], it))[: count // eta]
        found += [it for it in best if it not in found and scores[it] < math.inf]
    return found


def test_promotions_are_those_of_the_definition() -> None:
    draw = random.Random(0)
    for _ in range(1000):
        order = draw.sample(range(20), draw.randrange(1, 20))
        values = [1.0, 2.0, 3.0, 4.0, math.inf] if draw.random() < 0.5 else range(100)
        scores = {it: float(draw.choice(values)) for it in order if draw.random() < 0.95}
        eta = draw.choice([2, 3, 4])
        assert promoted(order, scores, eta) == by_definition(order, scores, eta)


def outcomes(seed: int, epochs: int, method: Method) -> Outcome:
    """Return what becomes of each unit: some fail, stop early, or are NaN, and many are alike."""

    def outcome(unit: Unit) -> Result:
        draw = random.Random(f"{seed} {unit.trial} {unit.rung}")
        pause = method.pause_after(unit)
        ends = pause is None or pause >= epochs or draw.random() < 0.1
        state: State = "failed" if draw.random() < 0.1 else "completed" if ends else "paused"
        value = draw.choice([None, math.nan, *range(1, 9)])
        return Result(*unit, state, value if value is None else float(value))

    return outcome


def sweep(method: Method, trials: int, outcome: Outcome, tasks: int, seed: int) -> dict[Unit, str]:
    """Return the results of a sweep whose tasks end their units in any order."""
    draw, known = random.Random(seed), [Trial(it, {}) for it in range(1, trials + 1)]
    results: dict[Unit, Result] = {}
    taken: set[Unit] = set()
    running: list[Unit] = []
    while True:
        for unit in candidates(method, known, taken, results):
            if len(running) == tasks:
                break
            if unit.rung:
                assert results[Unit(unit.trial, unit.rung - 1)].state == "paused"
            taken.add(unit)
            running.append(unit)
        if not running:
            return {unit: str(result) for unit, result in results.items()}
        before = set(method.promotions(results))
        unit = running.pop(draw.randrange(len(running)))
        results[unit] = outcome(unit)
        assert before <= set(method.promotions(results)), "a promotion was taken back"


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
@pytest.mark.parametrize("eta", [2, 3])
@pytest.mark.parametrize("kind", ["asha", "hyperband"])
def test_any_number_of_tasks_and_any_order_give_the_same_table(
    goal: Goal, eta: int, kind: str
) -> None:
    for seed in range(6):
        trials = range(1, 5 + 4 * seed)
        method: Method = Asha(trials, goal, eta, 1)
        if kind == "hyperband":
            method = Hyperband(trials, goal, eta, 1, 9)
        outcome = outcomes(seed, 9, method)
        alone = sweep(method, len(trials), outcome, 1, 0)
        for tasks in (2, 3, 8, 64):
            assert sweep(method, len(trials), outcome, tasks, tasks) == alone


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_27_trials_of_27_epochs_have_rungs_of_9_3_and_1(goal: Goal) -> None:
    method, sign = Asha(range(1, 28), goal, 3, 1), 1 if goal == "minimize" else -1

    def outcome(unit: Unit) -> Result:
        state: State = "completed" if method.pause_after(unit) == 27 else "paused"
        return Result(*unit, state, sign * unit.trial / 10)

    table = sweep(method, 27, outcome, 4, 0)
    at_rung = [sorted(it.trial for it in table if it.rung == rung) for rung in range(5)]
    assert at_rung == [[*range(1, 28)], [*range(1, 10)], [1, 2, 3], [1], []]
    assert [method.pause_after(Unit(1, rung)) for rung in range(4)] == [1, 3, 9, 27]


def test_hyperband_divides_its_trials_as_the_paper_does() -> None:
    assert sizes(5, 3) == [81, 34, 15, 8, 5]  # algorithm 1 of Li et al. 2018
    method = Hyperband(range(1, 50), "minimize", 3, 1, 27)
    assert [len(it.trials) for it in method.brackets] == sizes(4, 3) == [27, 12, 6, 4]
    assert [it.first_rung for it in method.brackets] == [1, 3, 9, 27]
    for count in range(1, 50):
        for part, size in zip(divide(range(count), sizes(4, 3)), sizes(4, 3), strict=True):
            assert abs(len(part) - size * count / 49) < 1
    assert divide(range(30), [2, 1])[1][:5] == divide(range(15), [2, 1])[1]


@pytest.mark.parametrize(
    ("sweep", "train", "said"),
    [
        ({"method": "asha", "min_epochs": 4}, {"epochs": 4}, "before the end: train.epochs is 4"),
        ({"method": "hyperband"}, {"steps": 50}, "give train.epochs, not train.steps"),
    ],
)
def test_rungs_have_to_lie_within_a_training(sweep, train, said) -> None:
    swept = {"parameters": {"train.optimizer.lr": [0.1, 0.2]}, **sweep}
    with pytest.raises(ValidationError, match=said):
        JobSpec.model_validate({**QUICK, "train": train, "sweep": swept})
