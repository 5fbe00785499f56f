"""Sources: what is in them, how they are divided, and what is said when something is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from hpc_dl.data import fetch, sources, staged
from hpc_dl.data.split import divide
from hpc_dl.errors import UserError
from hpc_dl.spec.data import MNIST, Digits, FashionMNIST, ImageFolder, OwnData

HERE = Path()
DATA = os.environ.get("HPCDL_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="HPCDL_DATA names no folder of real data sets")


def digits(seed=0, **options):
    return sources.load(Digits(name="digits", **options), HERE, seed, HERE)


def test_digits_are_all_there_once_and_as_the_plan_was_told():
    splits = digits(validation=0.2, test=0.3)
    assert staged.facts(Digits(name="digits", validation=0.2, test=0.3), HERE) == splits.facts
    sizes = [len(part) for part in (splits.train, splits.validation, splits.test)]
    assert sizes == [splits.facts.train, splits.facts.validation, splits.facts.test]
    assert sum(sizes) == 1797
    numbers = torch.cat([part.index for part in (splits.train, splits.validation, splits.test)])
    assert sorted(numbers.tolist()) == list(range(1797))


def test_a_batch_is_floats_between_0_and_1_with_labels_and_numbers():
    split = digits().train
    batch = split.batch(torch.tensor([5, 3]))
    assert batch["image"].shape == (2, 1, 8, 8)
    assert batch["image"].dtype == torch.float32
    assert 0 <= batch["image"].min() < batch["image"].max() <= 1
    assert batch["label"].tolist() == split.tensors["label"][[5, 3]].tolist()
    assert batch["index"].tolist() == split.index[[5, 3]].tolist()


def test_the_division_is_a_function_of_the_seed():
    assert torch.equal(digits(1).train.index, digits(1).train.index)
    assert not torch.equal(digits(1).train.index, digits(2).train.index)


def test_parts_are_disjoint_and_of_the_sizes_asked_for():
    parts = divide({"x": torch.arange(100)}, (70, 20, 10), seed=3)
    assert [len(part) for part in parts] == [70, 20, 10]
    assert sorted(torch.cat([part.tensors["x"] for part in parts]).tolist()) == list(range(100))


@needs_data
def test_mnist_is_read_from_where_it_is_staged():
    source = MNIST(name="mnist")
    splits = sources.load(source, Path(DATA), 0, HERE)
    assert splits.facts == staged.facts(source, Path(DATA))
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [54000, 6000, 10000]
    assert splits.test.tensors["label"][:5].tolist() == [7, 2, 1, 0, 4]
    assert splits.train.tensors["image"].dtype == torch.uint8


def test_mnist_that_is_not_staged_is_refused_with_the_command_and_the_files(tmp_path):
    with pytest.raises(UserError, match="mnist is not staged") as caught:
        staged.facts(MNIST(name="mnist"), tmp_path)
    assert "hpcdl data fetch mnist" in caught.value.hint
    assert "train-images-idx3-ubyte" in caught.value.hint
    assert str(tmp_path / "mnist" / "MNIST" / "raw") in caught.value.hint


def test_a_truncated_file_is_named_with_its_size(tmp_path):
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte").write_bytes(b"short")
    with pytest.raises(UserError, match="has 5 bytes instead of 47040016"):
        staged.facts(FashionMNIST(name="fashion_mnist", root=str(tmp_path)), HERE)


def test_fetching_without_internet_says_what_to_put_where(tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(UserError, match="could not be fetched") as caught:
        fetch.fetch("mnist", tmp_path / "mnist")
    assert "t10k-labels-idx1-ubyte" in caught.value.hint
    assert str(tmp_path / "mnist" / "MNIST" / "raw") in caught.value.hint
    assert list((tmp_path / "mnist").iterdir()) == []


def test_what_cannot_be_fetched_is_said_with_what_can(tmp_path):
    with pytest.raises(UserError, match="'cifar' is nothing to fetch") as caught:
        fetch.fetch("cifar", tmp_path)
    assert "mnist, fashion_mnist" in caught.value.hint


# ---- a user's own pictures


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
    splits = sources.load(source, tmp_path, 0, HERE)
    assert splits.facts == staged.facts(source, tmp_path)
    assert splits.facts.classes == ("dark", "light")
    assert splits.facts.shape == (3, 8, 12)
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [32, 4, 4]
    images, labels = splits.train.tensors["image"], splits.train.tensors["label"]
    assert images.shape == (32, 3, 8, 12)
    assert (images[:, 0].float().mean((1, 2)) > 128).tolist() == labels.bool().tolist()
    assert len(list((tmp_path / "cache").iterdir())) == 1
    again = sources.load(source, tmp_path, 0, HERE)
    assert torch.equal(again.train.tensors["image"], images)


def test_a_picture_that_changes_is_read_again(pictures, tmp_path):
    before = sources.load(folder(pictures), tmp_path, 0, HERE)
    for path in (pictures / "dark").iterdir():
        Image.new("RGB", (9, 9), (250, 250, 250)).save(path)
    after = sources.load(folder(pictures), tmp_path, 0, HERE)
    assert not torch.equal(before.train.tensors["image"], after.train.tensors["image"])


def test_grey_pictures_have_one_channel(pictures, tmp_path):
    assert sources.load(folder(pictures, channels=1), tmp_path, 0, HERE).facts.shape == (1, 8, 12)


def test_folders_for_each_split_are_taken_as_they_are(pictures, tmp_path):
    root = tmp_path / "divided"
    for split in ("train", "test"):
        (root / split).mkdir(parents=True)
        for label in ("dark", "light"):
            (root / split / label).symlink_to(pictures / label)
    splits = sources.load(folder(root), tmp_path, 0, HERE)
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [36, 4, 40]
    assert splits.facts == staged.facts(folder(root), tmp_path)


def test_a_broken_picture_is_named(pictures, tmp_path):
    (pictures / "dark" / "07.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"dark/07\.png is not a readable picture"):
        sources.load(folder(pictures), tmp_path, 0, HERE)


def test_a_class_without_pictures_is_named(pictures, tmp_path):
    (pictures / "empty").mkdir()
    with pytest.raises(UserError, match=r"class .*/empty has no picture"):
        staged.facts(folder(pictures), tmp_path)


def test_a_folder_without_classes_is_refused_with_the_layout(tmp_path):
    with pytest.raises(UserError, match="no folder for a class") as caught:
        staged.facts(folder(tmp_path), tmp_path)
    assert "CLASS" in caught.value.hint
    with pytest.raises(UserError, match="there is no folder"):
        staged.facts(folder(tmp_path / "nowhere"), tmp_path)


# ---- a user's own function

OWN = """\
import torch

def squares(n=40, width=6):
    images = torch.rand(n, 1, width, width)
    labels = (images.mean((1, 2, 3)) > 0.5).long()
    return {"train": {"image": images, "label": labels}, "classes": ["dark", "light"]}

def crooked():
    return {"train": {"image": torch.rand(4, 6, 6), "label": torch.zeros(4).long()}}

def fails():
    raise ValueError("the disk is not mounted")
"""


@pytest.fixture
def code(tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    return tmp_path


def own(name, **options):
    return OwnData.model_validate({"name": f"mine.py:{name}", **options})


def test_an_own_function_describes_itself_to_the_plan(code):
    source = own("squares", n=50, width=4, validation=0.2)
    facts = staged.facts(source, HERE, code)
    assert (facts.shape, facts.classes) == ((1, 4, 4), ("dark", "light"))
    assert (facts.train, facts.validation, facts.test) == (35, 10, 5)
    splits = sources.load(source, HERE, 0, code)
    assert splits.facts == facts
    assert len(splits.train) == 35


def test_tensors_of_another_shape_are_refused_with_the_function_and_the_shape(code):
    with pytest.raises(UserError, match=r"mine.py:crooked: train: image is \(4, 6, 6\)"):
        sources.load(own("crooked"), HERE, 0, code)


def test_an_own_function_that_fails_is_refused_at_submission_with_its_words(code):
    with pytest.raises(UserError, match="ValueError: the disk is not mounted"):
        staged.facts(own("fails"), HERE, code)


def test_an_own_function_that_is_not_there_is_said_with_those_that_are(code):
    with pytest.raises(UserError, match="defines no 'circles'") as caught:
        sources.load(own("circles"), HERE, 0, code)
    assert "squares" in caught.value.hint


# ---- torchvision


def test_torchvision_imports_beside_a_torch_that_it_was_not_built_for():
    program = """
import sys, torch
from hpc_dl.data.vision import torchvision
datasets = torchvision("datasets")
assert datasets.MNIST.__name__ == "MNIST"
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
