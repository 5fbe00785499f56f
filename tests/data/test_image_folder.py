"""A user's own pictures: found, decoded, cached, and what is said of broken ones."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hpc_dl.cli import job_request
from hpc_dl.data import fingerprint, loading, sources
from hpc_dl.data.class_folders import scan
from hpc_dl.data.class_folders import walk as folder_walk
from hpc_dl.errors import UserError
from hpc_dl.jobspec.architectures.ffnn import FeedForward
from hpc_dl.jobspec.sources.image_folder import ImageFolder
from tests.support import reading

HERE = Path()


@pytest.fixture
def pictures(tmp_path):
    """Twenty pictures of different sizes in each of two classes."""
    for label, shade in (("dark", 40), ("light", 220)):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for number in range(20):
            picture = Image.new("RGB", (20 + number, 30), (shade, shade, number))
            picture.save(tmp_path / "pictures" / label / f"{number:02d}.png")
    return tmp_path / "pictures"


def folder(root, **options):
    return ImageFolder(name="image_folder", root=str(root), size=[8, 12], **options)


def test_own_pictures_are_resized_divided_and_cached(pictures, tmp_path):
    source = folder(pictures)
    splits = reading.load(source, tmp_path, HERE)
    assert splits.facts == reading.describe(source, tmp_path)
    assert splits.facts.classes == ("dark", "light")
    assert splits.facts.shape == (3, 8, 12)
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [32, 4, 4]
    images, labels = splits.train.tensors["image"], splits.train.tensors["label"]
    assert images.shape == (32, 3, 8, 12)
    assert (images[:, 0].float().mean((1, 2)) > 128).tolist() == labels.bool().tolist()
    assert len(list((tmp_path / "cache").iterdir())) == 1
    again = reading.load(source, tmp_path, HERE)
    assert torch.equal(again.train.tensors["image"], images)


def test_a_picture_that_changes_is_read_again(pictures, tmp_path):
    before = reading.load(folder(pictures), tmp_path, HERE)
    for path in (pictures / "dark").iterdir():
        Image.new("RGB", (9, 9), (250, 250, 250)).save(path)
    after = reading.load(folder(pictures), tmp_path, HERE)
    assert not torch.equal(before.train.tensors["image"], after.train.tensors["image"])


def test_the_folder_is_searched_once_for_facts_fingerprint_and_examples(
    pictures, tmp_path, monkeypatch
):
    searched = []

    def walk(folder, suffixes):
        searched.append(folder.name)
        return folder_walk.walk(folder, suffixes)

    monkeypatch.setattr(scan, "walk", walk)
    source = sources.build(folder(pictures), tmp_path)
    fingerprint.take(source, FeedForward(name="ffnn"), source.describe())
    loading.load(source)
    assert searched == ["dark", "light"]
    file = tmp_path / "job.yaml"
    file.write_text(
        "name: x\nmodel: {name: ffnn}\ntrain: {epochs: 1}\n"
        "data: {name: image_folder, root: pictures}\n"
    )
    job_request.read(file, [], "generic")
    assert searched == ["dark", "light"] * 2


def test_a_picture_that_was_replaced_is_checked_again_before_it_is_streamed(pictures, tmp_path):
    source = folder(pictures)
    reading.load(source, tmp_path, HERE, 0)
    assert len(list((tmp_path / "cache").glob("*.checked"))) == 1
    path = pictures / "dark" / "07.png"
    state = path.stat()
    path.write_bytes(b"no picture".ljust(state.st_size))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # as `cp -p` and `touch -r` do
    with pytest.raises(UserError, match=r"1 of 40 pictures .* text: dark/07\.png"):
        reading.load(source, tmp_path, HERE, 0)


def test_grey_pictures_have_one_channel(pictures, tmp_path):
    assert reading.load(folder(pictures, channels=1), tmp_path, HERE).facts.shape == (1, 8, 12)


def test_folders_for_each_split_are_taken_as_they_are(pictures, tmp_path):
    root = tmp_path / "divided"
    for split in ("train", "test"):
        (root / split).mkdir(parents=True)
        for label in ("dark", "light"):
            (root / split / label).symlink_to(pictures / label)
    splits = reading.load(folder(root), tmp_path, HERE)
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [36, 4, 40]
    assert splits.facts == reading.describe(folder(root), tmp_path)


def divided(root, **splits):
    """A folder of splits, each with its own classes, of three pictures a class."""
    for split, labels in splits.items():
        for label in labels:
            (root / split / label).mkdir(parents=True)
            for number in range(3):
                Image.new("L", (5, 5), 10 * number).save(root / split / label / f"{number}.png")
    return folder(root)


@pytest.mark.parametrize("validation", ["validation", "val"])
def test_all_three_splits_may_be_given(tmp_path, validation):
    source = divided(tmp_path, train="ab", test="ab", **{validation: "ab"})
    facts = reading.describe(source, tmp_path)
    assert (facts.train, facts.validation, facts.test) == (6, 6, 6)


def test_a_test_split_that_is_missing_is_taken_from_the_training_pictures(tmp_path):
    source = divided(tmp_path, train="ab", validation="ab").model_copy(update={"test": 0.5})
    splits = reading.load(source, tmp_path, HERE)
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [3, 6, 3]
    assert not set(splits.test.index.tolist()) & set(splits.validation.index.tolist())


def test_splits_whose_classes_differ_are_refused_with_the_classes(tmp_path):
    source = divided(tmp_path, train=["cat", "dog"], test=["cat", "bird"])
    with pytest.raises(UserError, match=r"test has classes that .*/train has not: bird"):
        reading.describe(source, tmp_path)


def test_a_test_folder_without_training_pictures_is_refused(tmp_path):
    with pytest.raises(UserError, match="has test but no train"):
        reading.describe(divided(tmp_path, test="ab"), tmp_path)


def test_other_files_and_hidden_ones_are_passed_over(pictures, tmp_path):
    before = reading.describe(folder(pictures), tmp_path)
    (pictures / "dark" / "notes.txt").write_text("not a picture")
    (pictures / "dark" / "._00.png").write_bytes(b"left by another file system")
    (pictures / ".ipynb_checkpoints").mkdir()
    after = reading.describe(folder(pictures), tmp_path)
    assert after == before
    assert "files of classes that are not read: 1 .txt" in after.notes


def test_a_cache_that_cannot_be_written_or_read_costs_only_time(pictures, tmp_path):
    first = reading.load(folder(pictures), tmp_path, HERE).train.tensors["image"]
    (cached,) = (tmp_path / "cache").iterdir()
    cached.write_bytes(cached.read_bytes()[:200])
    (tmp_path / "file").touch()
    for data_root in (tmp_path, tmp_path / "file"):
        again = reading.load(folder(pictures), data_root, HERE).train.tensors["image"]
        assert torch.equal(again, first)


def test_pictures_of_16_bits_keep_their_range(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(5):
            wide = np.full((4, 4), 10000 * (number + 1), np.uint16)
            Image.fromarray(wide).save(tmp_path / label / f"{number}.tif")
    images = reading.load(folder(tmp_path, channels=1), tmp_path, HERE).train.tensors["image"]
    assert set(images.unique().tolist()) <= {39, 78, 117, 156, 195}, "white is 65535"
    assert len(images.unique()) > 1


@pytest.mark.parametrize("workers", [None, 0])
def test_all_pictures_that_are_broken_since_the_submission_are_named_with_their_splits(
    tmp_path, workers
):
    source = divided(tmp_path / "pictures", train="ab", test="ab")
    reading.describe(source, tmp_path)
    (tmp_path / "pictures/train/a/0.png").write_bytes(b"")
    (tmp_path / "pictures/train/b/1.png").write_bytes(b"<html>")
    (tmp_path / "pictures/test/b/2.png").write_bytes(b"<html>")
    (tmp_path / "pictures/test/a/1.png").unlink()
    found = sources.build(source, tmp_path)
    found.found.files["test"].append((tmp_path / "pictures/test/a/1.png", 0))
    with pytest.raises(UserError) as caught:
        found.load() if workers is None else found.stream(workers)
    assert caught.value.message.splitlines()[1:] == [
        "  empty: train/a/0.png",
        "  a web page: train/b/1.png, test/b/2.png",
        "  no longer there: test/a/1.png",
    ]
    listed = re.search(r"4 of 12 .* \((.*) lists all\)", caught.value.message)[1]
    assert len(Path(listed).read_text().splitlines()) == 4
