"""What the loop reports."""

from types import SimpleNamespace

import pytest

from hpc_dl.train import loop, phases
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


PLAN = SimpleNamespace(
    steps=8, steps_per_epoch=8, pause_at=None, examples_seen=lambda step: BATCH * step
)
STOPPING = SimpleNamespace(should_stop=False, update=lambda step, values: False)


def test_a_checkpoint_between_two_reports_does_not_change_the_examples_per_second(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    engine = Engine(clock)
    batches = SimpleNamespace(training_steps=lambda *_: [None] * 8, dummy_batch=None)
    speeds = []
    for event in loop.train(engine, batches, dict, STOPPING, PLAN, lambda step: step == 3, 4):
        if isinstance(event, CheckpointDue):
            clock.now += 100.0
        if isinstance(event, Reported):
            speeds.append(event.values["train/examples_per_second"])
    assert speeds == pytest.approx([BATCH, BATCH])


def test_a_report_has_the_share_of_the_time_since_the_last_in_which_there_was_no_batch(monkeypatch):
    clock = Clock()
    engine = Engine(clock)
    for module in (loop, phases):
        monkeypatch.setattr(module, "time", clock)

    def steps(first, last):
        for seconds in [1.0] * 4 + [3.0] * 4:
            clock.now += seconds
            yield None

    batches = SimpleNamespace(training_steps=steps, dummy_batch=None)
    never = lambda step: False  # noqa: E731
    events = loop.train(engine, batches, dict, STOPPING, PLAN, never, 4)
    reports = [it for it in events if isinstance(it, Reported)]
    found = [it.values["train/waiting_percentage"] for it in reports]
    assert found == pytest.approx([50.0, 75.0])
