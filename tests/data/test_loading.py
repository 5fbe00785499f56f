"""Sources: what is in them, how they are divided, and what is said when something is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hpc_dl.data import sources
from hpc_dl.data.dataset import Split, divide
from hpc_dl.data.sources.digits import read_digits
from hpc_dl.data.sources.mnist import CLASSES
from hpc_dl.data.splits.counts import Holdout, split_counts
from hpc_dl.data.staging.listing import listing
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.sources import SOURCES
from hpc_dl.jobspec.sources.digits import Digits
from hpc_dl.jobspec.sources.mnist import MNIST, FashionMNIST
from hpc_dl.torchvision_compat import torchvision
from tests.support import reading

HERE = Path()
DATA = os.environ.get("HPCDL_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="HPCDL_DATA names no folder of real data sets")


def digits(seed=0, **options):
    return reading.load(Digits(name="digits", split_seed=seed, **options), HERE, HERE)


# ---- splits


def test_digits_are_all_there_once_and_as_the_plan_was_told():
    splits = digits(validation=0.2, test=0.3)
    assert reading.describe(Digits(name="digits", validation=0.2, test=0.3), HERE) == splits.facts
    sizes = [len(part) for part in (splits.train, splits.validation, splits.test)]
    assert sizes == [splits.facts.train, splits.facts.validation, splits.facts.test]
    assert sum(sizes) == 1797
    numbers = torch.cat([part.index for part in (splits.train, splits.validation, splits.test)])
    assert sorted(numbers.tolist()) == list(range(1797))


def test_digits_keep_their_pixels_and_labels_wherever_they_go():
    from sklearn.datasets import load_digits

    original = load_digits()
    test = digits().test
    assert test.tensors["label"].tolist() == original.target[test.index].tolist()
    pixels = test.tensors["image"][:, 0].double() * 16 / 255
    assert torch.allclose(pixels, torch.from_numpy(original.images[test.index]), atol=0.04)
    assert test.tensors["image"].max() == 255


def test_in_black_and_white_a_pixel_is_white_as_often_as_it_is_bright_and_always_the_same():
    first, again = (digits(seed=seed, binarize=True) for seed in (0, 0))
    assert torch.equal(first.train.tensors["image"], again.train.tensors["image"])
    images = torch.zeros(1797, 8, 8)
    for seed in (0, 1):  # another division of the same images
        splits = digits(seed=seed, binarize=True)
        for split in (splits.train, splits.validation, splits.test):
            drawn = split.batch(torch.arange(len(split)))["image"][:, 0]
            if seed:
                assert torch.equal(images[split.index], drawn)
            images[split.index] = drawn
    assert set(images.unique().tolist()) == {0.0, 1.0}
    whole = read_digits()["image"][:, 0].float() / 255
    for grey in (0.0, 1.0):
        assert (images[whole == grey] == grey).all()
    middle = (whole > 0.4) & (whole < 0.6)
    assert float(images[middle].mean()) == pytest.approx(float(whole[middle].mean()), abs=0.01)
    assert float(images.mean()) == pytest.approx(float(whole.mean()), abs=0.003)


def test_of_some_classes_alone_is_trained_and_the_test_has_all_others():
    splits = digits(include_classes=[3, "5"])
    sizes = [len(part) for part in (splits.train, splits.validation, splits.test)]
    assert sizes == [splits.facts.train, splits.facts.validation, splits.facts.test]
    assert splits.facts == reading.describe(Digits(name="digits", include_classes=[3, "5"]), HERE)
    assert splits.facts.include_classes == ("3", "5")
    for part in (splits.train, splits.validation):
        assert part.tensors["label"].unique().tolist() == [3, 5]
    assert splits.test.tensors["label"].unique().tolist() == list(range(10))
    numbers = torch.cat([part.index for part in (splits.train, splits.validation, splits.test)])
    assert sorted(numbers.tolist()) == list(range(1797))


def test_a_class_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(UserError, match=r"data\.include_classes: digits has no class 12") as caught:
        reading.describe(Digits(name="digits", include_classes=[12]), HERE)
    assert "It has: 0, 1, 2" in caught.value.hint


@needs_data
def test_of_mnist_some_classes_are_trained_on_and_its_test_is_whole():
    source = MNIST(name="mnist", include_classes=[7], binarize=True)
    splits = reading.load(source, Path(str(DATA)), HERE)
    assert splits.facts == reading.describe(source, Path(str(DATA)))
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (5639, 626, 10_000)
    assert splits.train.tensors["label"].unique().tolist() == [7]


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


def examples(first, last):
    return Split({"target": torch.arange(first, last)})


@pytest.mark.parametrize("given", [["train"], ["train", "test"], ["train", "validation"]])
def test_splits_that_are_not_given_are_taken_from_the_training_examples(given):
    given_splits = {
        name: examples(start, start + 100)
        for name, start in zip(given, range(0, 1000, 100), strict=False)
    }
    holdout = Holdout(validation=0.2, test=0.1, seed=3)
    counts = split_counts(dict.fromkeys(given, 100), holdout)
    splits = divide(given_splits, DataFacts.of("image", "classify", (1,), (), *counts), holdout)
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    assert [len(part) for part in parts.values()] == list(counts)
    for name in set(given) - {"train"}:
        assert torch.equal(parts[name].tensors["target"], given_splits[name].tensors["target"])
    numbers = torch.cat([part.index for part in parts.values()]).tolist()
    assert sorted(numbers) == list(range(100 * len(given)))
    assert all(torch.equal(part.tensors["target"], part.index) for part in parts.values())


def test_shares_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(UserError, match="180 for validation and 36 for test: none is left"):
        split_counts({"train": 180}, Holdout(validation=0.999, test=0.2))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_moving_a_split_keeps_bytes_as_bytes(dtype):
    split = Split({"image": torch.ones(3, 1, 2, 2, dtype=dtype), "label": torch.arange(3)})
    moved = split.to(torch.device("cpu"))
    assert moved.tensors["image"].dtype == dtype
    assert moved.device.type == "cpu"
    assert moved.batch(torch.tensor([1]))["image"].dtype == torch.float32


# ---- MNIST


@needs_data
def test_mnist_is_read_from_where_it_is_staged():
    source = MNIST(name="mnist")
    splits = reading.load(source, Path(DATA), HERE)
    assert splits.facts == reading.describe(source, Path(DATA))
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [54000, 6000, 10000]
    assert splits.test.tensors["label"][:5].tolist() == [7, 2, 1, 0, 4]
    assert splits.test.index[:2].tolist() == [60_000, 60_001]
    assert splits.train.tensors["image"].dtype == torch.uint8
    numbered_zero = [part for part in (splits.train, splits.validation) if 0 in part.index]
    assert [int(part.tensors["label"][part.index == 0]) for part in numbered_zero] == [5]


def test_mnist_that_is_not_staged_is_refused_with_the_command_and_the_files(tmp_path):
    with pytest.raises(UserError, match="mnist is not staged: there is no folder") as caught:
        reading.describe(MNIST(name="mnist"), tmp_path)
    assert "hpcdl data fetch mnist\n" in caught.value.hint
    assert "train-images-idx3-ubyte" in caught.value.hint
    assert str(tmp_path / "mnist" / "MNIST" / "raw") in caught.value.hint


def test_a_truncated_file_is_named_with_its_size(tmp_path):
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte").write_bytes(b"short")
    with pytest.raises(UserError, match="has 5 bytes instead of 47040016") as caught:
        reading.describe(FashionMNIST(name="fashion_mnist", root=str(tmp_path)), HERE)
    assert f"hpcdl data fetch fashion_mnist --root {tmp_path}\n" in caught.value.hint


def test_the_names_of_clothes_are_those_of_torchvision():
    assert list(CLASSES["fashion_mnist"]) == torchvision("datasets").FashionMNIST.classes


def test_the_listing_knows_every_source_and_what_is_staged(tmp_path):
    rows = {row.name: row for row in listing(tmp_path)}
    assert {name.partition(":")[0] for name in rows} == set(SOURCES)
    assert rows["karate"].staged is True
    assert rows["cora"].staged is False
    assert rows["csv"].where == "data.path of the spec"
    assert rows["digits"].staged is True
    assert rows["digits"].examples == 1797
    assert rows["mnist"].staged is False
    assert rows["mnist"].where == str(tmp_path / "mnist")
    assert rows["image_folder"].staged is None


# ---- what is imported


def run(program):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


LIGHT = """
import sys
from pathlib import Path
from hpc_dl.data import sources
from hpc_dl.data.splits import counts
from hpc_dl.data.staging import listing
from hpc_dl.jobspec.sources import SOURCES

def imported(*names):
    return set(names) & set(sys.modules)

for name in ("digits", "karate"):
    sources.build(SOURCES[name](name=name), Path()).describe()
assert not (found := imported("torch", "numpy", "PIL", "pandas", "sklearn")), found
listing.listing(Path("nowhere"))
assert not (found := imported("torch", "PIL", "pandas", "sklearn")), found
for options in SOURCES.values():
    sources.class_for(options)
assert not (found := imported("torch", "torchvision", "torch_geometric", "sklearn")), found
"""


def test_sources_are_found_and_described_without_what_is_heavy():
    done = run(LIGHT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_has_a_class_in_a_file_named_like_that_of_its_options(name):
    found = sources.class_for(SOURCES[name])
    assert found.__module__.rpartition(".")[2] == SOURCES[name].__module__.rpartition(".")[2]


MISMATCHED = """
import torch

def refuse(path):
    raise OSError(f"{path}: undefined symbol")

torch.ops.load_library = refuse  # what happens beside a torch that torchvision was not built for
"""
IMPORTS = """
import torch
from hpc_dl import torchvision_compat as vision
from tests.support import reading
assert vision.torchvision("datasets").MNIST.__name__ == "MNIST"
resize = vision.torchvision("transforms.v2.functional").resize
assert resize(torch.ones(1, 4, 4), [2, 2]).sum() == 4
mended = vision._declare_operators.cache_info().currsize == 1
assert mended != vision.torchvision("extension")._has_ops()
"""


@pytest.mark.nightly
@pytest.mark.parametrize("before", ["", MISMATCHED], ids=["as installed", "operators missing"])
def test_torchvision_imports_and_is_mended_only_without_its_compiled_operators(before):
    done = run(before + IMPORTS)
    assert done.returncode == 0, done.stderr
