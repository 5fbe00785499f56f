"""Sequences of differing lengths are padded."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from hpc_dl.data.dataset import HostSplit
from hpc_dl.data.graphs.checks import Checked
from hpc_dl.data.graphs.splits import GraphSplit
from hpc_dl.data.ragged import Ragged, RaggedSplit

SEQUENCES = [torch.arange(1, 1 + n, dtype=torch.uint8) for n in (3, 1, 5, 0, 2)]


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


def test_the_length_of_an_example_is_that_of_all_its_sequences():
    both = RaggedSplit({"text": Ragged.of(SEQUENCES), "next": Ragged.of(SEQUENCES)})
    assert both.lengths.tolist() == [6, 2, 10, 0, 4]
    assert HostSplit(both, torch.device("cpu")).lengths.tolist() == both.lengths.tolist()
    assert both.subset(torch.tensor([2])).lengths.tolist() == [10]


class Largest(TorchDispatchMode):
    """The most numbers that an operation has computed."""

    numbers = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor) and not func.is_view:
            self.numbers = max(self.numbers, found.numel())
        return found


def graphs(count):
    graph = Checked(torch.zeros(3, 2), torch.tensor([[0, 1], [1, 2]]))
    return GraphSplit.of([graph] * count, {"label": torch.arange(count)})


@pytest.mark.parametrize(
    "split",
    [RaggedSplit({"text": Ragged.of([torch.zeros(3)] * 500)}), graphs(500)],
    ids=["sequences", "graphs"],
)
def test_a_batch_takes_as_long_of_many_examples_as_of_few(split):
    split.batch(torch.tensor([0]))
    with Largest() as largest:
        split.batch(torch.tensor([7, 499]))
    assert 0 < largest.numbers < 20
