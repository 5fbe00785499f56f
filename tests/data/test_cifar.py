"""CIFAR-10 and CIFAR-100 by name: facts, files of their layout, and what is said of others."""

import pickle

import numpy as np
import pytest
import torch

from hpc_dl.data import sources
from hpc_dl.data.sources import cifar
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.cifar import CIFAR10, CIFAR100
from tests.support import reading
from tests.support.cifar import write


@pytest.fixture
def small(monkeypatch):
    """Sets of few pictures."""
    monkeypatch.setitem(cifar.EXAMPLES, "train", 500)
    monkeypatch.setitem(cifar.EXAMPLES, "test", 200)


def source(name="cifar10", **options):
    return {"cifar10": CIFAR10, "cifar100": CIFAR100}[name](name=name, **options)


@pytest.fixture
def files(small, tmp_path):
    folder = tmp_path / "cifar10" / "cifar-10-batches-py"
    write(folder)
    return folder


@pytest.mark.parametrize("name, classes", [("cifar10", 10), ("cifar100", 100)])
def test_pictures_are_read_as_they_lie_in_the_files(small, tmp_path, name, classes):
    folder = tmp_path / name / cifar.SETS[name].folder
    write(folder, name)
    splits = reading.load(source(name), tmp_path)
    assert splits.facts == reading.describe(source(name), tmp_path)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (450, 50, 200)
    assert (splits.facts.shape, len(splits.facts.classes)) == ((3, 32, 32), classes)
    (first, *_) = cifar.SETS[name].parts["test"]
    data = pickle.loads((folder / first).read_bytes())["data"]
    images = splits.test.tensors["image"]
    assert np.array_equal(images.numpy().reshape(200, -1), data), "channels come first in them"
    labels = [it.tensors["label"] for it in (splits.train, splits.validation)]
    assert torch.cat(labels).bincount().tolist() == [500 // classes] * classes


def test_the_names_of_the_classes_are_those_of_the_papers():
    assert len(set(cifar.SETS["cifar100"].classes)) == 100
    assert cifar.SETS["cifar10"].classes[3] == "cat"


def test_some_classes_may_be_trained_on_alone(files, tmp_path):
    chosen = source(include_classes=["cat", "dog"])
    splits = reading.load(chosen, tmp_path)
    assert splits.facts == reading.describe(chosen, tmp_path)
    assert splits.train.tensors["label"].unique().tolist() == [3, 5]


@pytest.mark.parametrize(
    "harm, said",
    [
        (lambda it: (it / "data_batch_2").unlink(), "no data_batch_2 in"),
        (lambda it: (it / "test_batch").write_bytes(b""), "test_batch has 0 bytes"),
        (
            lambda it: (it / "data_batch_4").write_bytes(b"half" * 99),
            "data_batch_4 has 396 bytes, and its pixels alone 307200",
        ),
    ],
    ids=["missing", "empty", "truncated"],
)
def test_files_that_are_missing_or_too_small_are_named_at_submission(files, tmp_path, harm, said):
    harm(files)
    with pytest.raises(UserError, match=f"cifar10 is not staged: .*{said}") as caught:
        reading.describe(source(), tmp_path)
    assert "hpcdl data fetch cifar10\n" in caught.value.hint
    assert f"or cifar-10-python.tar.gz into {tmp_path / 'cifar10'}" in caught.value.hint


def test_a_folder_that_is_not_there_is_said_to_be(tmp_path):
    with pytest.raises(UserError, match=f"there is no folder {tmp_path}/x/cifar-100") as caught:
        reading.describe(source("cifar100", root=str(tmp_path / "x")), tmp_path)
    assert f"hpcdl data fetch cifar100 --root {tmp_path}/x" in caught.value.hint


def test_a_root_that_is_too_deep_is_said_to_be(files, tmp_path):
    with pytest.raises(UserError, match="there is no folder") as caught:
        reading.describe(source(root=str(files)), tmp_path)
    assert caught.value.hint == f"Its files lie in {files}: that is data.root: {files.parent}"
    reading.describe(source(root=str(files.parent)), tmp_path)


def test_files_that_lie_directly_in_the_root_are_found(files, tmp_path):
    root = files.rename(tmp_path / "flat")
    with pytest.raises(UserError, match="there is no folder") as caught:
        reading.describe(source(root=str(root)), tmp_path)
    assert caught.value.hint == (
        f"Its files lie in {root}. Move them into {root / 'cifar-10-batches-py'}"
    )


class Program:
    def __reduce__(self):
        return (open, ("ran", "w"))


def part(**entry):
    """A pickle that is large enough."""
    whole = {"data": np.zeros((100, 3072), np.uint8), "labels": [0] * 100, "pad": "x" * 10**6}
    return pickle.dumps({**whole, **entry}, protocol=2)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"\0" * 400_000, "is no readable file of CIFAR"),
        (part(labels=[10] * 100), "it has class 10, and there are 10, from 0"),
        (part(labels=[0.5] * 100), "its labels are (100,) float64, not 100 numbers"),
        (part(data=np.zeros((99, 3072), np.uint8)), "it has 99 pictures of uint8 instead of 100"),
        (part(data=Program()), "it holds io.open, and not arrays alone"),
        (pickle.dumps(["x" * 400_000]), "it has no pictures with labels"),
    ],
    ids=["zeros", "class", "floats", "count", "program", "list"],
)
def test_a_damaged_file_is_named_before_the_first_step(files, tmp_path, monkeypatch, content, said):
    monkeypatch.chdir(tmp_path)
    (files / "data_batch_3").write_bytes(content)
    found = sources.build(source(), tmp_path)
    found.describe()
    with pytest.raises(UserError) as caught:
        found.load()
    assert "data_batch_3" in caught.value.message
    assert said in caught.value.message
    assert not (tmp_path / "ran").exists()


@pytest.mark.nightly
def test_files_of_the_real_sizes_are_read(tmp_path):
    write(tmp_path / "cifar10" / "cifar-10-batches-py")
    splits = reading.load(source(), tmp_path)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (45_000, 5_000, 10_000)
