"""Sequences of differing lengths are padded, and their batches follow from seed and epoch."""

import pytest
import torch

from hpc_dl.data.dataset import HostSplit
from hpc_dl.data.ragged import Ragged, RaggedSplit, batches_by_length, batches_of_tokens

SEQUENCES = [torch.arange(1, 1 + n, dtype=torch.uint8) for n in (3, 1, 5, 0, 2)]
LENGTHS = torch.randint(1, 50, (203,), generator=torch.Generator().manual_seed(0))


def test_a_batch_is_padded_at_the_end_and_brings_the_lengths():
    split = RaggedSplit({"text": Ragged.of(SEQUENCES)}, {"label": torch.arange(5)})
    batch = split.batch(torch.tensor([4, 0, 3]))
    assert batch["text"].tolist() == [[1, 2, 0], [1, 2, 3], [0, 0, 0]]
    assert batch["text_length"].tolist() == [2, 3, 0]
    assert batch["label"].tolist() == batch["index"].tolist() == [4, 0, 3]


def test_token_ids_stay_whole_numbers():
    batch = RaggedSplit({"text": Ragged.of(SEQUENCES)}).batch(torch.tensor([0]))
    assert batch["text"].dtype == torch.int64
    assert batch["text"].tolist() == [[1, 2, 3]]


def test_sequences_of_vectors_are_padded_with_zeros():
    ragged = Ragged.of([torch.ones(2, 3), torch.ones(1, 3)])
    found, lengths = ragged.padded(torch.tensor([1, 0]))
    assert found.sum(dim=(1, 2)).tolist() == [3, 6]
    assert (found.shape, lengths.tolist()) == ((2, 2, 3), [1, 2])


def test_a_subset_has_its_sequences_alone_and_keeps_their_numbers():
    some = RaggedSplit({"text": Ragged.of(SEQUENCES)}).subset(torch.tensor([2, 4]))
    batch = some.batch(torch.tensor([1, 0]))
    assert batch["text"].tolist() == [[1, 2, 0, 0, 0], [1, 2, 3, 4, 5]]
    assert batch["index"].tolist() == [4, 2]
    assert (len(some), some.size) == (2, 7)
    assert len(some.subset(torch.tensor([], dtype=torch.int64))) == 0


def test_examples_in_main_memory_give_the_same_batches():
    split = RaggedSplit({"text": Ragged.of(SEQUENCES)}, {"label": torch.arange(5)})
    held, chosen = HostSplit(split, torch.device("cpu")), torch.tensor([4, 0])
    for name, tensor in split.batch(chosen).items():
        assert torch.equal(held.batch(chosen)[name], tensor)


@pytest.mark.parametrize("batches", [batches_by_length, batches_of_tokens])
def test_batches_hold_every_example_once_and_follow_from_seed_and_epoch(batches):
    found = batches(LENGTHS, 16, 3, 1)
    assert torch.cat(found).sort().values.tolist() == list(range(len(LENGTHS)))
    assert all(map(torch.equal, found, batches(LENGTHS, 16, 3, 1)))
    for other in (batches(LENGTHS, 16, 3, 2), batches(LENGTHS, 16, 4, 1)):
        assert torch.cat(other).tolist() != torch.cat(found).tolist()


def test_batches_by_length_are_whole_but_for_the_last_and_hardly_padded():
    found = batches_by_length(LENGTHS, 16, 0, 0)
    assert [*map(len, found)] == [16] * 12 + [11]
    padded = sum(len(it) * int(LENGTHS[it].max()) for it in found)
    assert padded < 1.15 * LENGTHS.sum()


def test_batches_of_tokens_hold_at_most_so_many_when_padded():
    found = batches_of_tokens(LENGTHS, 120, 0, 0)
    assert all(len(it) * int(LENGTHS[it].max()) <= 120 for it in found)
    assert len(found) < len(LENGTHS) / 2
    alone = batches_of_tokens(torch.tensor([500, 1, 1]), 120, 0, 0)
    assert sorted(map(len, alone)) == [1, 2]
