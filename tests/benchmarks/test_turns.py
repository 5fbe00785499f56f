"""A benchmark compares its contenders, not the machine at different times."""

import pytest

from benchmarks import turns
from benchmarks.contender import Round
from benchmarks.workloads import HAND, HPCDL


class Machine:
    """A machine on which everything takes longer with each turn, by the same time."""

    def __init__(self, slower):
        self.speed, self.slower, self.order = 1.0, slower, []


class OnIt:
    """A contender whose step takes so many times as long as one by hand."""

    def __init__(self, machine, name, ratio):
        self.machine, self.name, self.ratio, self.loss = machine, name, ratio, 0.0

    def begin(self):
        pass

    def round(self, warm, steps):
        self.machine.order.append(self.name)
        self.machine.speed += self.machine.slower
        return Round(steps, steps * self.ratio * self.machine.speed, waited=0.25)

    def close(self):
        pass


RATIOS = {HPCDL: 1.1, HAND: 1.0, "lightning": 2.0}


def taken(rounds, slower):
    machine = Machine(slower)
    contenders = {name: OnIt(machine, name, ratio) for name, ratio in RATIOS.items()}
    return machine, turns.take(contenders, rounds, steps=10)


@pytest.mark.parametrize("slower", [0.0, 0.1, -0.02])
def test_a_machine_that_becomes_slower_does_not_change_a_ratio(slower):
    _, found = taken(4, slower)
    for name, ratio in RATIOS.items():
        assert [it.ratio for it in found[name]] == pytest.approx([ratio] * len(found[name]))
        said = turns.summary(found[name])
        assert (said["ratio"], said["quartiles"]) == (ratio, [ratio, ratio])


def test_the_loop_by_hand_has_a_turn_between_any_two():
    machine, found = taken(2, slower=0.0)
    of_a_round = [HPCDL, HAND, "lightning", HAND, HPCDL, HAND]
    assert machine.order == [HAND, *of_a_round, *of_a_round]
    assert {name: len(its) for name, its in found.items()} == {HPCDL: 4, "lightning": 2, HAND: 5}


def test_a_summary_says_what_a_step_takes_and_the_share_of_waiting():
    _, found = taken(2, slower=0.0)
    said = turns.summary(found["lightning"])
    assert (said["step_us"], said["turns_us"]) == (2e6, [2e6, 2e6])
    assert said["waiting"] == pytest.approx(0.25 / 20, abs=1e-3)
