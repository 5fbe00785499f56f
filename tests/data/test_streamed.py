"""Streamed pictures: the batches of the resident path bit for bit; workers that come and go."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing import forkserver

import pytest
import torch

from hpc_dl.data.sampler import Batches, held_out
from hpc_dl.data.transforms.augment import Augmentation
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import Augment
from hpc_dl.jobspec.sources.image_folder import ImageFolder
from tests.support import (
    ranks,  # for its warm server, from which workers are forked here
    reading,
)
from tests.support.pictures import folder_of_pictures
from tests.support.waiting import wait_until

assert ranks
forkserver.ensure_running()


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = folder_of_pictures(tmp_path_factory.mktemp("pictures"), 70)
    return ImageFolder(name="image_folder", root=str(root), size=[6, 5], validation=0.2, test=0.2)


def load(source, tmp_path, workers=None):
    return reading.load(source, tmp_path, tmp_path, workers)


def same(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys() == {"image", "label", "index"}
        assert all(torch.equal(one[name], other[name]) for name in one)
        for name in one:  # the order in memory decides in which order sums are rounded
            assert one[name].dtype == other[name].dtype
            assert one[name].stride() == other[name].stride()


def every_step(split, world_size, augmentation=None, **place):
    """The batches of all ranks, in one row; 42 examples in batches of 10, the last one of 2."""
    return [
        micro_batch
        for rank in range(world_size)
        for step in Batches(split, 10, 3, 7, rank, world_size, augmentation).steps(**place)
        for micro_batch in step
        if micro_batch is not None
    ]


@pytest.mark.parametrize("first", [0, 3])
@pytest.mark.parametrize("world_size", [1, 3])
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_the_resident_path(source, tmp_path, workers, world_size, first):
    resident, streamed = load(source, tmp_path), load(source, tmp_path, workers)
    place = {"epoch": 2, "first": first}
    ours = every_step(streamed.train, world_size, **place)
    same(ours, every_step(resident.train, world_size, **place))
    assert sum(len(batch["index"]) for batch in ours) == 42 - 10 * first


def test_augmentation_is_the_same_on_both_paths(source, tmp_path):
    change = Augmentation(Augment(crop=1, flip=True, noise=0.1), "image", torch.device("cpu"))
    resident, streamed = load(source, tmp_path), load(source, tmp_path, 2)
    place = {"world_size": 2, "augmentation": change, "epoch": 1, "first": 2}
    ours = every_step(streamed.train, **place)
    same(ours, every_step(resident.train, **place))
    plain = every_step(resident.train, 2, epoch=1, first=2)
    assert all(not torch.equal(it["image"], b["image"]) for it, b in zip(ours, plain, strict=True))


@pytest.mark.parametrize("name", ["validation", "test"])
def test_held_out_splits_and_single_batches_are_the_same(source, tmp_path, name):
    ours, theirs = (getattr(load(source, tmp_path, it), name) for it in (2, None))
    same(list(held_out(ours, 4, 1, 2)), list(held_out(theirs, 4, 1, 2)))
    same([ours.batch(torch.tensor([5, 0]))], [theirs.batch(torch.tensor([5, 0]))])
    assert list(held_out(ours.subset(torch.arange(1)), 4, 1, 2)) == []


def test_splits_that_are_read_at_the_same_time_do_not_mix(source, tmp_path):
    resident, streamed = load(source, tmp_path), load(source, tmp_path, 1)

    def in_turn(splits):
        train, test = Batches(splits.train, 8, 8, 0, 0, 1).steps(0), held_out(splits.test, 3, 0, 1)
        return [it for (one,), other in zip(train, test, strict=False) for it in (one, other)]

    assert len(in_turn(streamed)) == 10
    same(in_turn(streamed), in_turn(resident))


def test_the_trainings_own_random_numbers_are_left_alone(source, tmp_path):
    streamed = load(source, tmp_path, 2)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    next(Batches(streamed.train, 10, 10, 0, 0, 1).steps(0))
    assert torch.equal(torch.rand(3), expected)


def test_what_is_no_picture_is_named_before_training(source, tmp_path):
    root = folder_of_pictures(tmp_path / "pictures", 12)
    (root / "a" / "0004.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"1 of 12 pictures .*: text: a/0004\.png"):
        load(replace_root(source, root), tmp_path, 1)


def test_a_picture_that_is_damaged_inside_is_named_when_its_batch_comes(source, tmp_path):
    root = folder_of_pictures(tmp_path / "pictures", 12)
    whole = (root / "a" / "0004.png").read_bytes()
    (root / "a" / "0004.png").write_bytes(whole[:60] + bytes(40) + whole[100:])
    split = load(replace_root(source, root), tmp_path, 1).train
    with pytest.raises(UserError, match=r"a/0004\.png is not a readable picture") as caught:
        every_step(split, 1, epoch=0)
    assert caught.value.hint == "Remove, replace or save them again."
    assert "Traceback" not in str(caught.value)


def replace_root(source, root):
    return source.model_copy(update={"root": str(root), "validation": 0.1, "test": 0.1})


def workers():
    return [it for it in multiprocessing.active_children() if it.daemon]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGBUS])
def test_a_worker_that_is_killed_is_said_to_be_gone(source, tmp_path, number):
    steps = Batches(load(source, tmp_path, 1).train, 2, 1, 0, 0, 1).steps(0)
    next(steps)
    (worker,) = workers()
    os.kill(worker.pid, number)
    with pytest.raises(UserError, match="reads examples has died") as caught:
        list(steps)
    assert "data.workers" in caught.value.hint
    assert "/dev/shm" in caught.value.hint


PROGRAM = """
import pathlib, sys
from hpc_dl.data import loading, sources
from hpc_dl.data.sampler import Batches
from hpc_dl.jobspec.sources.image_folder import ImageFolder

if __name__ == "__main__":
    here = pathlib.Path(sys.argv[2])
    source = ImageFolder(name="image_folder", root=sys.argv[1])
    splits = loading.load(sources.build(source, here), workers=2)
    steps = Batches(splits.train, 4, 4, 0, 0, 1).steps(0)
    next(steps)
    sys.exit(5)
"""


@pytest.mark.slow
def test_a_program_can_end_with_its_pictures_half_read(source, tmp_path):
    command = [sys.executable, "-c", PROGRAM, source.root, str(tmp_path)]
    ended = subprocess.run(command, timeout=60, check=False, capture_output=True)
    assert (ended.returncode, ended.stderr) == (5, b"")


def test_workers_end_with_their_iterator(source, tmp_path):
    steps = Batches(load(source, tmp_path, 2).train, 10, 5, 0, 0, 1).steps(0)
    next(steps)
    assert len(workers()) == 2
    del steps
    wait_until(lambda: not workers(), message="the workers to end")


def test_workers_are_kept_for_the_next_pass_and_end_with_the_splits(source, tmp_path):
    resident, streamed = load(source, tmp_path), load(source, tmp_path, 2)
    same(every_step(streamed.train, 1, epoch=0), every_step(resident.train, 1, epoch=0))
    first = {it.pid for it in workers()}
    assert len(first) == 2
    same(list(held_out(streamed.test, 4, 0, 1)), list(held_out(resident.test, 4, 0, 1)))
    same(every_step(streamed.train, 1, epoch=1), every_step(resident.train, 1, epoch=1))
    assert {it.pid for it in workers()} == first
    streamed.train.reader.prefetcher.splits = streamed  # what the garbage collector is to find
    del streamed
    gc.collect()
    wait_until(lambda: not workers(), message="the workers to end")


def test_a_pass_that_is_given_up_leaves_nothing_to_the_next(source, tmp_path):
    resident, streamed = load(source, tmp_path), load(source, tmp_path, 2)
    steps = Batches(streamed.train, 10, 3, 7, 0, 1).steps(0)
    next(steps)
    del steps
    same(every_step(streamed.train, 1, epoch=1), every_step(resident.train, 1, epoch=1))


def test_a_training_is_read_on_while_it_is_evaluated(source, tmp_path):
    """From step 3 on; 5 steps an epoch."""
    resident, streamed = load(source, tmp_path), load(source, tmp_path, 2)

    def steps(splits):
        return Batches(splits.train, 10, 5, 7, 0, 1).training_steps(3, 13)

    ours, theirs = steps(streamed), steps(resident)
    for number in range(10):
        if number in (2, 7):  # an epoch is over
            for split in (streamed, resident):
                evaluated = list(held_out(split.validation, 4, 0, 1))
                assert len(evaluated) == 4
            running = workers()
            assert len(running) == 2
            for it in running:
                os.kill(it.pid, signal.SIGSTOP)
        same(next(ours), next(theirs))
        for it in workers():
            os.kill(it.pid, signal.SIGCONT)
    assert next(ours, None) is next(theirs, None) is None


def test_every_pass_learns_that_a_worker_is_gone(source, tmp_path):
    splits = load(source, tmp_path, 1)
    passes = [Batches(splits.train, 2, 2, 0, 0, 1).steps(0), held_out(splits.test, 2, 0, 1)]
    for it in passes:
        next(it)
    (worker,) = workers()
    os.kill(worker.pid, signal.SIGKILL)
    for it in passes:
        with pytest.raises(UserError, match="reads examples has died"):
            list(it)
