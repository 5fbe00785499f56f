"""The copy of a state: nothing of it is shared with the state, and its memory is used again."""

from itertools import chain

import torch

from hpc_dl.train import state_copy
from hpc_dl.train.state_copy import StateCopy


def state(*values):
    return {"step": len(values), "nets": [{"w": torch.tensor(values)}, None]}


def test_a_copy_stays_as_it_was_taken_and_the_next_one_takes_over_its_memory():
    copy, live = StateCopy(), state(1.0, 2.0)
    copy.take(live)
    live["nets"][0]["w"].zero_()
    first = copy.get()["nets"][0]["w"]
    assert first.tolist() == [1, 2]
    copy.take(state(3.0, 4.0))
    assert copy.get()["nets"][0]["w"] is first
    assert first.tolist() == [3, 4]


def test_what_no_longer_fits_gets_memory_of_its_own():
    copy = StateCopy()
    for values in ((1.0,), (1.0, 2.0), (1, 2)):
        copy.take(state(*values))
        found = copy.get()
        assert found["step"] == len(values)
        assert torch.equal(found["nets"][0]["w"], torch.tensor(values))
        assert found["nets"][1] is None


def test_few_snapshots_are_held_at_once_and_none_is_left_out(monkeypatch):
    monkeypatch.setattr(state_copy, "AT_ONCE", 100)
    pairs = [(torch.empty(size), torch.empty(size)) for size in (10, 10, 10, 200, 1, 1, 30)]
    groups = state_copy._groups(pairs)
    assert list(chain(*groups)) == pairs
    assert [sum(it.nbytes for it, _ in group) for group in groups] == [120, 800, 128]
