"""Clips of moving digits, which a generator makes."""

import math

import numpy as np
import pytest
import torch

from hpc_dl.data import loading, sources
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.synthetic_moving_digits import DIRECTIONS, SyntheticMovingDigits


def source(root, **options):
    made = SyntheticMovingDigits(
        name="synthetic_moving_digits", **{"clips": 80, "frames": 6, "side": 40, **options}
    )
    return sources.build(made, root)


def test_a_digit_moves_in_the_direction_of_its_class(tmp_path):
    train = loading.load(source(tmp_path, distractors=0)).train
    batch = train.batch(torch.arange(8))
    for clip, label in zip(batch["video"], batch["label"].tolist(), strict=True):
        angle = 2 * math.pi * label / len(DIRECTIONS)
        way = np.array([math.sin(angle), math.cos(angle)])  # rows grow downwards
        moved = _shift(clip[0, 0].numpy(), clip[5, 0].numpy())
        assert 4 <= moved @ way <= 16, "5 frames at 1 to 3 pixels each"
        assert np.abs(moved - (moved @ way) * way).max() <= 1, "it keeps to the way"


def _shift(first, last):
    """The circular shift (rows, columns) that makes the last frame of the first one."""
    found = np.fft.ifft2(np.conj(np.fft.fft2(first)) * np.fft.fft2(last)).real
    place = np.array(np.unravel_index(found.argmax(), found.shape))
    return (place + 20) % 40 - 20


def test_a_clip_follows_from_the_seed_and_its_number(tmp_path):
    first, same, other = (
        loading.load(source(tmp_path, seed=seed, clips=clips)).train.tensors["video"]
        for seed, clips in ((1, 80), (1, 80), (2, 80))
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[8]), "two clips of one class"


def test_workers_make_the_same_clips(tmp_path):
    held, made = (loading.load(source(tmp_path), workers).validation for workers in (None, 0))
    chosen = torch.tensor([3, 0])
    for name, value in held.batch(chosen).items():
        torch.testing.assert_close(made.batch(chosen)[name], value)


def test_no_digit_is_in_two_splits(tmp_path):
    makers = source(tmp_path)._makers()
    each = [{it.tobytes() for it in makers[name].digits} for name in makers]
    assert sum(map(len, each)) == 1797 == len(set.union(*each))


def test_facts_say_that_the_clips_are_synthetic_and_how_many_there_are(tmp_path):
    facts = source(tmp_path).describe()
    assert facts.synthetic
    assert (facts.train, facts.validation, facts.test) == (56, 8, 16)
    assert facts.class_counts["test"] == (2,) * 8
    assert facts.shape == (6, 1, 40, 40)


def test_digits_of_mnist_have_to_be_staged(tmp_path):
    with pytest.raises(UserError, match="mnist is not staged"):
        source(tmp_path, digits="mnist").describe()


def test_something_is_left_to_train_on(tmp_path):
    with pytest.raises(UserError, match=r"no clip of every class .* left") as caught:
        source(tmp_path, test=0.6, validation=0.4).describe()
    assert "data.clips" in caught.value.hint
