"""Recurrent states are carried from a batch to the next, and a resumed run goes on with them."""

import itertools
from pathlib import Path

import pytest
import torch

from hpc_dl.data.sampler import lane_order
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.tasks.state import State
from hpc_dl.train.carry import Carry
from hpc_dl.train.world import World
from tests.support import ranks, steps
from tests.support.running import final_state, new_run

ONE = World(0, 1, torch.device("cpu"))
TEXT = {"name": "text", "length": 16, "batch_size": 9, "carry_state": True}
SPEC = {
    "model": {"name": "lstm", "hidden": 8, "layers": 2, "dropout": 0.2},
    "data": TEXT,
    "train": {"epochs": None, "steps": 50, "log_every": 1},
    "checkpoint": {"every": "8 steps"},
}


def spec(**sections):
    return steps.job(**{"model": {**SPEC["model"], "dropout": 0.0}, "data": TEXT, **sections})


@pytest.mark.parametrize("examples, lanes", [(12, 4), (11, 4), (3, 4), (9, 1)])
def test_in_lanes_each_example_follows_that_of_the_same_row_before(examples, lanes):
    order = lane_order(examples, lanes)
    assert sorted(order.tolist()) == list(range(examples))
    batches = order.split(lanes)
    assert [*map(len, batches[:-1])] == [lanes] * (len(batches) - 1)
    for before, after in itertools.pairwise(batches):
        assert torch.equal(after, before[: len(after)] + 1)


def test_rows_of_a_rank_go_on_where_they_ended_on_any_number_of_ranks(tmp_path):
    for size in (1, 2, 4):
        for rank in range(size):
            world = World(rank, size, torch.device("cpu"))
            *_, batches, _ = steps.surroundings(spec(), tmp_path, world)
            last = None
            for micro_batches in batches.steps(0):
                assert len(micro_batches) == 1
                if (batch := micro_batches[0]) is None:
                    continue
                if last is not None:
                    assert torch.equal(batch["text"][:, 0], last[: len(batch["text"])])
                place = batch["text_length"] - 1
                last = batch["next"].gather(1, place[:, None])[:, 0]


def test_a_long_text_in_two_steps_loses_what_it_loses_in_one(tmp_path):
    engine, _ = steps.engine_of(spec(), tmp_path)
    made, nets = engine.architecture, engine.unwrapped
    tokens = torch.randint(1, 40, (3, 21))
    whole = {"text": tokens[:, :-1], "next": tokens[:, 1:], "text_length": torch.full((3,), 20)}
    state: State = None
    total = torch.zeros(())
    for part in (slice(0, 12), slice(12, 20)):
        batch = {name: whole[name][:, part] for name in ("text", "next")}
        batch["text_length"] = torch.full((3,), part.stop - part.start)
        loss, state = made.carried_loss(nets, batch, "model", state)
        total = total + loss.total
    torch.testing.assert_close(total, made.loss(nets, whole, "model").total)


def test_the_states_of_all_ranks_are_saved_and_divided_anew():
    saved = Carry(ONE, 5, 2)
    for rows in (2, 2, 1):
        first = sum(len(it[0]) for it in saved._next)
        saved.after((torch.arange(first, first + rows)[:, None],))
    saved.commit()
    for size, micro_batch, expected in (
        (1, 2, [[0, 1], [2, 3], [4]]),
        (2, 3, [[0, 1, 2]]),
        (2, 2, [[0, 1], [2]]),
    ):
        carry = Carry(World(0, size, torch.device("cpu")), 5, micro_batch)
        carry.load(saved.state())
        found = [carry.before(n)[0].flatten().tolist() for n in range(1, len(expected) + 1)]
        assert found == expected


def test_only_a_step_that_is_taken_moves_the_states():
    carry = Carry(ONE, 2, 2)
    carry.after(torch.zeros(2, 1, requires_grad=True))
    carry.commit()
    carry.after(torch.ones(2, 1))
    carry.discard()
    assert carry.before(1).tolist() == [[0], [0]]
    assert not carry.before(1).requires_grad
    carry.reset()
    assert carry.before(1) is None


def test_a_loss_that_is_not_finite_and_the_search_for_samples_leave_the_states_alone(tmp_path):
    engine, batches = steps.engine_of(spec(), tmp_path)
    made = batches.steps(0)
    engine.train_step(next(made), batches.dummy_batch, report=False)
    kept = [tensor.clone() for layer in engine.carry.before(1) for tensor in layer]
    weight = next(engine.unwrapped["model"].parameters())
    whole = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(float("nan"))
    bad = engine.train_step(next(made), batches.dummy_batch, report=False)
    assert bad is not None
    with torch.no_grad():
        weight.copy_(whole)
    now = [tensor for layer in engine.carry.before(1) for tensor in layer]
    assert all(map(torch.equal, kept, now))


@pytest.mark.parametrize("micro_batch", [None, 2])
def test_two_ranks_lose_what_one_loses(tmp_path, micro_batch):
    job = spec(train={"micro_batch": micro_batch})
    found = steps.on_ranks({"text": job}, tmp_path, 2)["text"]
    for one, other in zip(steps.losses(spec(), tmp_path), found, strict=True):
        assert other == pytest.approx(one, rel=1e-4)


def test_a_run_that_is_killed_and_resumed_ends_with_the_same_bits(tmp_path):
    whole = ranks.train(new_run(tmp_path, **SPEC))
    killed = new_run(tmp_path, **SPEC)
    ranks.kill_at(killed, 21)
    assert final_state(ranks.train(killed)) == final_state(whole)


def test_a_network_without_a_state_is_refused(tmp_path: Path):
    job = spec(model={"name": "transformer"})
    with pytest.raises(SpecConflict, match=r"data.carry_state: transformer has no state") as error:
        steps.plan_of(job, tmp_path)
    assert error.value.hint == "These have: lstm, rnn."
