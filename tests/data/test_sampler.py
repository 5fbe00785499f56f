"""The order of the samples is a function of seed and epoch, on any number of ranks."""

import pytest
import torch

from hpc_dl.data.dataset import Split
from hpc_dl.data.ragged import Ragged, RaggedSplit
from hpc_dl.data.sampler import (
    Batches,
    epoch_order,
    held_out,
    mix_seed,
    order_by_length,
    rank_slice,
)

SPLIT = Split({"image": torch.arange(103, dtype=torch.float32).reshape(103, 1, 1, 1)})

LENGTHS = torch.randint(1, 50, (203,), generator=torch.Generator().manual_seed(0))


def numbers(batches):
    return [number for batch in batches for number in batch["index"].tolist()]


def steps(rank=0, world_size=1, micro_batch=100, batch_size=10, epoch=0, first=0, seed=7):
    batches = Batches(SPLIT, batch_size, micro_batch, seed, rank, world_size)
    return [[it for it in step if it is not None] for step in batches.steps(epoch, first)]


def test_an_epoch_is_a_permutation_of_its_own():
    orders = [epoch_order(103, 7, epoch).tolist() for epoch in range(3)]
    assert all(sorted(order) == list(range(103)) for order in orders)
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert orders[0] == epoch_order(103, 7, 0).tolist()
    assert orders[0] != epoch_order(103, 8, 0).tolist()


def test_seeds_of_neighbouring_keys_have_nothing_in_common():
    seeds = {
        mix_seed(seed, epoch, rank) for seed in range(10) for epoch in range(10) for rank in (0, 1)
    }
    assert len(seeds) == 200
    assert mix_seed(1, 2) != mix_seed(2, 1)
    assert all(0 <= seed < 2**64 for seed in seeds)
    bits = [bin(mix_seed(0, n) ^ mix_seed(0, n + 1)).count("1") for n in range(200)]
    assert 28 < sum(bits) / len(bits) < 36  # half of 64 bits change


def test_every_sample_is_trained_on_once_an_epoch_the_last_partial_batch_included():
    batches = steps()
    assert [len(numbers(step)) for step in batches] == [10] * 10 + [3]
    assert sorted(n for step in batches for n in numbers(step)) == list(range(103))


@pytest.mark.parametrize("world_size", [2, 3, 4, 5, 16])
def test_a_step_trains_on_the_same_samples_on_any_number_of_ranks(world_size):
    alone = [numbers(step) for step in steps()]
    shares = [steps(rank, world_size) for rank in range(world_size)]
    together = [[n for share in shares for n in numbers(share[step])] for step in range(11)]
    assert together == alone


def test_a_rank_without_a_sample_has_no_micro_batch():
    assert steps(rank=15, world_size=16)[0] == []
    assert next(Batches(SPLIT, 10, 100, 7, 15, 16).steps(0)) == [None], "it takes part all the same"


def test_ranks_have_as_many_micro_batches_as_each_other():
    for rank in range(3):  # 4, 3 and 3 of ten samples, in twos and ones
        parts = next(Batches(SPLIT, 10, 3, 7, rank, 3).steps(0))
        assert len(parts) == 2
        assert sum(len(part["index"]) for part in parts if part is not None) in (3, 4)
    assert len(Batches(SPLIT, 10, 10, 7, 0, 16).dummy_batch()["index"]) == 1


@pytest.mark.parametrize("micro_batch", [1, 3, 7, 10])
def test_micro_batches_are_small_enough_and_make_up_the_step(micro_batch):
    for divided, whole in zip(steps(micro_batch=micro_batch), steps(), strict=True):
        assert all(len(batch["index"]) <= micro_batch for batch in divided)
        assert numbers(divided) == numbers(whole)


@pytest.mark.parametrize("first", [0, 1, 5, 10])
def test_seeking_gives_what_replaying_would(first):
    replayed = [numbers(step) for step in steps(epoch=3)][first:]
    assert [numbers(step) for step in steps(epoch=3, first=first)] == replayed


def test_at_the_end_of_an_epoch_there_is_nothing_more():
    assert steps(first=11) == []
    assert steps(first=50) == []


def test_parts_differ_by_one_at_most_and_cover_everything():
    for count in (0, 1, 7, 64):
        for world_size in (1, 2, 3, 8):
            parts = [rank_slice(count, rank, world_size) for rank in range(world_size)]
            sizes = [part.stop - part.start for part in parts]
            assert sum(sizes) == count
            assert max(sizes) - min(sizes) <= 1
            assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]


def test_held_out_examples_of_similar_length_are_evaluated_together_the_longest_first():
    made = RaggedSplit({"text": Ragged.of([torch.ones(n) for n in (3, 9, 1, 9, 2, 8)])})
    shares = [list(held_out(made, 2, rank, 2, by_length=True)) for rank in range(2)]
    assert [numbers(it) for it in shares] == [[1, 0, 2], [3, 5, 4]]
    assert [it["text"].shape[1] for it in shares[0]] == [9, 1]


def test_held_out_examples_come_in_their_natural_order_shared_among_the_ranks():
    shares = [numbers(held_out(SPLIT, 20, rank, 4)) for rank in range(4)]
    assert [n for share in shares for n in share] == list(range(103))


def test_an_order_by_length_holds_every_example_once_and_follows_from_seed_and_epoch():
    found = order_by_length(LENGTHS, 16, 3, 1)
    assert found.sort().values.tolist() == list(range(len(LENGTHS)))
    assert torch.equal(found, order_by_length(LENGTHS, 16, 3, 1))
    for other in (order_by_length(LENGTHS, 16, 3, 2), order_by_length(LENGTHS, 16, 4, 1)):
        assert other.tolist() != found.tolist()


def test_batches_by_length_are_hardly_padded_and_the_same_on_two_ranks():
    split = RaggedSplit({"text": Ragged.of([torch.zeros(n).byte() for n in LENGTHS.tolist()])})

    def epoch(rank, world_size):
        batches = Batches(split, 16, 16, 0, rank, world_size, order="by_length")
        return [step[0] for step in batches.steps(0)]

    whole, halves = epoch(0, 1), [*zip(epoch(0, 2), epoch(1, 2), strict=True)]
    assert [len(it["index"]) for it in whole] == [16] * 12 + [11]
    assert sum(it["text"].numel() for it in whole) < 1.15 * LENGTHS.sum()
    assert [numbers([it]) for it in whole] == [numbers(pair) for pair in halves]


def test_lanes_follow_the_numbers_of_examples_that_were_drawn():
    drawn = SPLIT.subset(torch.tensor([7, 3, 5, 1]))
    steps = Batches(drawn, 2, 2, 0, 0, 1, order="lanes").steps(0)
    assert [numbers(step) for step in steps] == [[1, 5], [3, 7]]
