"""Augmentation: random changes to pictures that are a function of seed, epoch, step and rank."""

import pytest
import torch
from torch.nn import functional as F

from hpc_dl.data.dataset import Split
from hpc_dl.data.sampler import Batches
from hpc_dl.data.transforms import augmentation
from hpc_dl.data.transforms.augment import Augmentation
from hpc_dl.jobspec.data import Augment, UserAugment

CPU = torch.device("cpu")
SPLIT = Split(
    {
        "image": torch.randint(256, (40, 3, 6, 5), dtype=torch.uint8),
        "label": torch.arange(40) % 7,
    }
)
ALL = Augment(crop=2, flip=True, noise=0.1)


def batches(rank=0, world_size=2, micro_batch=4, seed=7, options: Augment | None = ALL):
    change = Augmentation(options, "image", CPU) if options else None
    return Batches(SPLIT, 16, micro_batch, seed, rank, world_size, change)


def images(steps):
    return [batch["image"] for micro_batches in steps for batch in micro_batches]


def equal(ours, theirs):
    return all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def changed(options, image, key=(1,)):
    (batch,) = Augmentation(options, "image", CPU).of([{"image": image}], key)
    return batch["image"]


def test_seeking_gives_what_running_there_would():
    for rank in range(2):
        run_there = list(batches(rank).steps(3))
        assert equal(images(batches(rank).steps(3, first=1)), images(run_there[1:]))
        assert equal(images([batches(rank).of_step(3 * 3 + 1)]), images([run_there[1]]))


def test_two_iterators_over_the_same_batches_do_not_disturb_each_other():
    both = batches()
    pairs = list(zip(both.steps(3), both.steps(3), strict=True))
    assert equal(images(one for one, _ in pairs), images(other for _, other in pairs))


def noise_of(rank=0, seed=7, epoch=0, step=0):
    """What is added to the first picture, which keeps clear of 0 and 1, of a step."""
    grey = Split({"image": torch.full((64, 1, 4, 4), 0.5)})
    change = Augmentation(Augment(noise=0.05), "image", CPU)
    steps = Batches(grey, 16, 8, seed, rank, 2, change).steps(epoch, step)
    return next(steps)[0]["image"][0]


def test_seeds_epochs_steps_and_ranks_have_random_numbers_of_their_own():
    drawn = [noise_of(), noise_of(rank=1), noise_of(seed=8), noise_of(epoch=1), noise_of(step=1)]
    for number, one in enumerate(drawn):
        assert not any(torch.allclose(one, other) for other in drawn[number + 1 :])
    assert torch.equal(noise_of(), drawn[0])


def test_the_examples_of_a_step_and_its_micro_batches_differ_in_their_noise():
    grey = torch.full((8, 1, 4, 4), 0.5)
    parts = Augmentation(Augment(noise=0.05), "image", CPU).of([{"image": grey}] * 2, (1,))
    pictures = torch.cat([part["image"] for part in parts])
    assert len(pictures.flatten(1).unique(dim=0)) == 16


def test_labels_numbers_shape_and_range_stay():
    plain = [it for step in batches(options=None).steps(0) for it in step]
    augmented = [it for step in batches().steps(0) for it in step]
    for one, other in zip(plain, augmented, strict=True):
        assert torch.equal(one["label"], other["label"])
        assert torch.equal(one["index"], other["index"])
        assert one["image"].shape == other["image"].shape
        assert one["image"].dtype == other["image"].dtype
        assert 0 <= other["image"].min() < other["image"].max() <= 1
        assert not torch.equal(one["image"], other["image"])


def test_pictures_are_mirrored_as_a_whole_and_half_of_them():
    image = torch.rand(400, 2, 3, 4)
    flipped = changed(Augment(flip=True), image)
    mirrored = (flipped == image.flip(-1)).flatten(1).all(1)
    assert ((flipped == image).flatten(1).all(1) ^ mirrored).all()
    assert 160 < mirrored.sum() < 240


def test_alternating_flips_mirror_a_half_and_then_the_other_on_any_ranks_and_micro_batches():
    columns = torch.tensor([0.0, 1.0]).expand(400, 1, 1, 2)  # left to right, unless mirrored
    split = Split({"image": columns, "label": torch.arange(400) % 2})

    def mirrored(epoch, rank=0, world_size=1, micro_batch=64):
        change = Augmentation(Augment(flip="alternate"), "image", CPU)
        found = torch.zeros(400, dtype=torch.bool)
        for step in Batches(split, 64, micro_batch, 7, rank, world_size, change).steps(epoch):
            for batch in filter(None, step):
                found[batch["index"]] = batch["image"][:, 0, 0, 0] == 1
        return found

    first = mirrored(0)
    assert 160 < first.sum() < 240
    assert 80 < first[::2].sum() < 120  # of either class
    assert torch.equal(mirrored(1), ~first)
    assert torch.equal(mirrored(2), first)
    ranks = [mirrored(1, rank, 2, micro_batch=10) for rank in range(2)]
    assert torch.equal(ranks[0] | ranks[1], ~first)


def test_a_crop_is_a_window_of_the_picture_in_a_black_border_anywhere_in_it():
    image = torch.rand(200, 3, 6, 5)
    cropped, padded = changed(Augment(crop=1), image), F.pad(image, [1] * 4)
    places = {}
    for top in range(3):
        for left in range(3):
            window = padded[:, :, top : top + 6, left : left + 5]
            places[top, left] = (cropped == window).flatten(1).all(1)
    assert torch.stack(list(places.values())).sum(0).eq(1).all()
    assert all(10 < found.sum() < 40 for found in places.values())


def test_noise_has_its_standard_deviation():
    image = torch.full((100, 1, 20, 20), 0.5)
    added = changed(Augment(noise=0.05), image) - 0.5
    assert added.std().item() == pytest.approx(0.05, rel=0.03)
    assert added.mean().item() == pytest.approx(0, abs=0.002)
    assert changed(Augment(noise=1.0), image).unique().tolist()[0] == 0


def test_a_function_of_the_users_draws_what_follows_from_the_key(tmp_path):
    (tmp_path / "own.py").write_text(
        "import random, numpy, torch\n"
        "def noise(image, scale: float):\n"
        "    drawn = random.random() + numpy.random.rand()\n"
        "    return image + scale * (torch.rand_like(image) + drawn)\n"
    )
    options = UserAugment.model_validate({"name": "own.py:noise", "scale": 0.1})
    change = augmentation(options, "image", CPU, tmp_path)
    there = Batches(SPLIT, 16, 4, 7, 1, 2, change)
    steps = [images([step]) for step in there.steps(3)]
    assert equal(images([there.of_step(3 * 3 + 1)]), steps[1])
    plain = [images([step]) for step in batches(rank=1, options=None).steps(3)]
    drawn = [one - other for one, other in zip(steps[0], plain[0], strict=True)]
    assert not torch.allclose(drawn[0], drawn[1])


def test_without_options_nothing_changes():
    image = torch.rand(4, 1, 3, 3)
    assert torch.equal(changed(Augment(), image), image)


def test_pictures_are_turned_about_their_middle_by_at_most_so_many_degrees():
    image = torch.zeros(400, 1, 9, 9)
    image[:, :, 4, 4:] = 1.0  # a hand from the middle to the right
    (batch,) = Augmentation(Augment(rotation=90), "image", CPU).of([{"image": image}], (1,))
    turned = batch["image"]
    rows, columns = torch.meshgrid(torch.arange(9.0) - 4, torch.arange(9.0) - 4, indexing="ij")
    mass = turned[:, 0].sum(dim=(1, 2))
    x = (turned[:, 0] * columns).sum(dim=(1, 2)) / mass
    y = (turned[:, 0] * rows).sum(dim=(1, 2)) / mass
    angle = torch.atan2(y, x).rad2deg()
    assert angle.abs().max() <= 91
    assert angle.min() < -80
    assert angle.max() > 80
    assert turned[:, 0, 4, 4].min() > 0.4  # the middle stays


def test_mixup_mixes_pictures_and_labels_by_the_same_coefficient():
    image = torch.arange(50.0)[:, None, None, None].expand(-1, 1, 2, 2) / 50
    batch = {"image": image, "label": torch.arange(50), "index": torch.arange(50)}
    (mixed,) = Augmentation(Augment(mixup=1.0), "image", CPU).of([batch], (1, 2))
    lam, label, other = mixed["lam"], mixed["label"], mixed["other_label"]
    assert torch.equal(label, batch["label"])
    assert sorted(other.tolist()) == list(range(50))
    expected = (lam * label + (1 - lam) * other) / 50
    torch.testing.assert_close(mixed["image"][:, 0, 0, 0], expected)
    assert 0.3 < lam.mean() < 0.7
    assert lam.std() > 0.2  # Beta(1, 1) is uniform: 0.29


def test_rows_of_numbers_and_targets_are_mixed_alike():
    table = torch.arange(50.0)[:, None].expand(-1, 3)
    batch = {"table": table, "target": 2 * table[:, :1]}
    (mixed,) = Augmentation(Augment(mixup=1.0), "table", CPU).of([batch], (1, 2))
    torch.testing.assert_close(mixed["target"], 2 * mixed["table"][:, :1])
    assert not torch.equal(mixed["table"], table)


def test_noise_is_added_to_sequences_whatever_their_range():
    sequence = torch.full((4, 500, 3), 7.0)
    augmentation = Augmentation(Augment(noise=0.5), "sequence", CPU)
    (batch,) = augmentation.of([{"sequence": sequence}], (1,))
    assert batch["sequence"].std() == pytest.approx(0.5, rel=0.05)
    assert batch["sequence"].mean() == pytest.approx(7, abs=0.05)
