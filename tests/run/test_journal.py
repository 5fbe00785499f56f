"""The journal: what was appended is read, through torn lines and resumed attempts."""

import json
import math
import os

import pytest

from hpc_dl.run import journal
from hpc_dl.run.journal import Journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def steps(path):
    return [event["step"] for event in journal.view(path) if event["event"] == "metrics"]


def test_events_are_read_back_in_order_with_their_values(path):
    log = Journal(path)
    log.append("metrics", step=1, values={"train/loss": 0.1 + 0.2})
    log.append("metrics", step=2, values={"train/loss": math.nan})
    events = [entry.event for entry in journal.read(path)]
    assert [event["step"] for event in events] == [1, 2]
    assert events[0]["values"]["train/loss"] == 0.1 + 0.2
    assert math.isnan(float(events[1]["values"]["train/loss"]))


def test_every_line_is_standard_json_also_with_infinite_values(path):
    Journal(path).append("metrics", step=1, values={"a": math.inf, "b": [math.nan]})
    json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_reading_continues_from_the_end_of_any_entry(path):
    log = Journal(path)
    for step in range(5):
        log.append("metrics", step=step)
    third = list(journal.read(path))[2]
    assert [entry.event["step"] for entry in journal.read(path, third.end)] == [3, 4]


def test_a_torn_last_line_is_skipped_and_the_next_event_is_whole(path):
    Journal(path).append("metrics", step=1)
    whole = path.stat().st_size
    Journal(path).append("metrics", step=2)
    os.truncate(path, whole + 20)  # the power went while line 2 was written
    assert steps(path) == [1]
    Journal(path).append("metrics", step=2)
    assert steps(path) == [1, 2]


def test_an_incomplete_line_is_left_for_later(path):
    log = Journal(path)
    log.append("metrics", step=1)
    with path.open("ab") as other:
        other.write(b'{"t": 1, "event": "metrics", "step": 2}')
    assert steps(path) == [1]
    with path.open("ab") as other:
        other.write(b"\n")
    assert steps(path) == [1, 2]


def test_a_resumed_attempt_voids_the_steps_it_trains_again(path):
    log = Journal(path)
    log.append("metrics", step=1)
    checkpoint = log.size()
    log.append("state", state="running")
    log.append("metrics", step=2)
    log.append("metrics", step=3)
    log.append("started", step=1, cut=checkpoint)
    log.append("metrics", step=2)
    assert steps(path) == [1, 2]
    assert "running" in [event.get("state") for event in journal.view(path)]  # life is not undone


def test_two_resumes_from_the_same_checkpoint_leave_each_step_once(path):
    log = Journal(path)
    log.append("metrics", step=1)
    checkpoint = log.size()
    for _ in range(2):
        log.append("metrics", step=2)
        log.append("started", step=1, cut=checkpoint)
    log.append("metrics", step=2)
    assert steps(path) == [1, 2]


def test_the_last_state_is_the_newest(path):
    assert journal.last_state(path) == ("", "")
    log = Journal(path)
    log.append("state", state="planned", reason="submitted")
    log.append("state", state="running", reason="1 rank")
    log.append("metrics", step=1)
    assert journal.last_state(path) == ("running", "1 rank")
