"""What the loop reports."""

from types import SimpleNamespace

import pytest

from hpc_dl.train import loop
from hpc_dl.train.loop import CheckpointDue, Reported
from hpc_dl.train.phases import Phases

BATCH = 8


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


class Engine:
    """Takes a second for each step."""

    def __init__(self, clock):
        self.clock, self.step, self.carry = clock, 0, None
        requests = SimpleNamespace(total=0)
        self.world = SimpleNamespace(phases=Phases(), requests=requests)

    def train_step(self, *_):
        self.step += 1
        self.clock.now += 1.0

    def report(self):
        return {}


def test_a_checkpoint_between_two_reports_does_not_change_the_examples_per_second(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    engine = Engine(clock)
    batches = SimpleNamespace(steps=lambda epoch, first: [None] * 8, dummy_batch=None)
    plan = SimpleNamespace(
        steps=8, steps_per_epoch=8, pause_at=None, examples_seen=lambda step: BATCH * step
    )
    stopping = SimpleNamespace(should_stop=False, update=lambda step, values: False)
    speeds = []
    for event in loop.train(engine, batches, dict, stopping, plan, lambda step: step == 3, 4):
        if isinstance(event, CheckpointDue):
            clock.now += 100.0
        if isinstance(event, Reported):
            speeds.append(event.values["train/examples_per_second"])
    assert speeds == pytest.approx([BATCH, BATCH])
