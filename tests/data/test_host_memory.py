"""Examples that stay in main memory: the same batches, bit for bit, copied one by one."""

from types import SimpleNamespace

import pytest
import torch

from hpc_dl.data.dataset import HostSplit, Split, Splits
from hpc_dl.data.graphs.checks import Checked
from hpc_dl.data.graphs.splits import GraphSplit
from hpc_dl.data.sampler import Batches, held_out
from hpc_dl.data.transforms.augment import Augmentation
from hpc_dl.jobspec.data import Augment
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.train import build
from tests.support import ranks
from tests.support.running import events, exported_weights, history, new_run

CPU, CUDA, ELSEWHERE = torch.device("cpu"), torch.device("cuda", 0), torch.device("meta")
COUNT = 21


def pictures():
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(256, (COUNT, 1, 6, 6), generator=generator, dtype=torch.uint8)
    return Split({"image": image, "label": torch.arange(COUNT) % 3}, torch.arange(COUNT) + 100)


def graphs():
    generator = torch.Generator().manual_seed(0)
    every = [
        Checked(
            torch.rand(n, 2, generator=generator),
            torch.randint(n, (2, 2 * n), generator=generator),
        )
        for n in range(1, COUNT + 1)
    ]
    return GraphSplit.of(every, {"label": torch.arange(COUNT) % 3})


def same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert all(one[name].dtype == other[name].dtype for name in one)


@pytest.mark.parametrize("make", [pictures, graphs])
def test_batches_of_training_and_of_held_out_examples_are_the_same(make):
    split, augment = make(), Augment(crop=1, flip=True) if make is pictures else None
    every = [
        Batches(it, 8, 3, 0, 0, 1, Augmentation(augment, "image", CPU) if augment else None)
        for it in (split, HostSplit(split, CPU))
    ]
    for ours, theirs in zip(*(it.steps(epoch=1, first=1) for it in every), strict=True):
        for one, other in zip(ours, theirs, strict=True):
            same(one, other)
    for one, other in zip(
        held_out(split, 4, 1, 2), held_out(HostSplit(split, CPU), 4, 1, 2), strict=True
    ):
        same(one, other)
    same(*(it.dummy_batch() for it in every))


@pytest.mark.parametrize("make", [pictures, graphs])
def test_a_batch_is_on_the_device_and_the_examples_are_not(make):
    split = HostSplit(make(), ELSEWHERE)
    batch = split.batch(torch.tensor([3, 1]))
    assert {tensor.device for tensor in batch.values()} == {ELSEWHERE}
    assert {tensor.device for tensor in split.tensors.values()} == {CPU}
    assert len(batch["index"]) == 2


@pytest.mark.parametrize("make", [pictures, graphs])
def test_a_gpu_holds_the_examples_if_they_fit_into_a_quarter_of_it(make, monkeypatch):
    monkeypatch.setattr(Splits, "to", lambda splits, device: device)
    splits = Splits(DataFacts.of("image", "classify", (), (), 0, 0, 0), *(make() for _ in range(3)))
    for memory, whole in ((4 * splits.size, True), (4 * splits.size - 4, False)):
        properties = SimpleNamespace(total_memory=memory)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _, it=properties: it)
        found = build.place_splits(splits, CUDA)
        assert (found is CUDA) == whole
        assert whole or isinstance(found.train, HostSplit)
    assert build.place_splits(splits, CPU) is CPU


def test_the_size_is_that_of_all_that_is_held():
    assert pictures().size == COUNT * (36 + 8)
    nodes = COUNT * (COUNT + 1) // 2
    lengths, labels = COUNT * 2 * 8, COUNT * 8
    assert graphs().size == nodes * 2 * (4 + 2 * 8) + lengths + labels


def left_in_main_memory():
    from hpc_dl.train import trainer

    trainer.place_splits = lambda splits, device: splits.held_for(device)


def test_a_run_is_the_same_bit_by_bit_and_says_where_its_examples_are(tmp_path):
    whole = ranks.train(new_run(tmp_path))
    beside = new_run(tmp_path)
    with ranks.ended(ranks.start(beside, left_in_main_memory)) as (process,):
        process.join(100)
    assert history(beside) == history(whole)
    weights = [exported_weights(it) for it in (whole, beside)]
    same(*weights)
    reasons = [event["reason"] for event in events(beside, "state")]
    assert any("cpu, examples in main memory, from the beginning" in it for it in reasons)
