"""Data sets of torchvision and torch_geometric, by name: read where they are staged, never fetched
during a run, and refused with the library's own command where they are not."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import TypeAdapter

from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources import DataSpec
from tests.support import ranks, reading
from tests.support.running import history, new_run

CORA = Path(os.environ.get("HPCDL_DATA", "missing")) / "cora" / "Cora"


def source(name, **options):
    return TypeAdapter(DataSpec).validate_python({"name": name, **options})


def idx(file, array):
    """An IDX file: a magic number with the number of axes, their lengths, the bytes."""
    head = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">i4").tobytes()
    file.write_bytes(head + array.astype(np.uint8).tobytes())


@pytest.fixture
def kmnist(tmp_path):
    """torchvision's KMNIST as its own download leaves it, but for the number of pictures."""
    folder = tmp_path / "torchvision" / "KMNIST" / "raw"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", 50), ("t10k", 20)):
        idx(folder / f"{part}-images-idx3-ubyte", rng.integers(0, 256, (count, 28, 28)))
        idx(folder / f"{part}-labels-idx1-ubyte", np.arange(count) % 10)
    return tmp_path


@pytest.mark.slow
def test_the_splits_and_the_names_of_the_classes_are_torchvisions_own(kmnist):
    wanted = source("torchvision:KMNIST")
    splits = reading.load(wanted, kmnist, kmnist)
    assert splits.facts == reading.describe(wanted, kmnist)
    assert splits.facts.classes[:3] == ("o", "ki", "su")
    assert (splits.facts.train, splits.facts.validation, splits.facts.test) == (45, 5, 20)
    raw = (kmnist / "torchvision/KMNIST/raw/t10k-images-idx3-ubyte").read_bytes()[16:]
    assert splits.test.tensors["image"].numpy().tobytes() == raw


@pytest.mark.nightly
def test_a_job_trains_on_it(kmnist, monkeypatch):
    monkeypatch.setenv("HPCDL_DATA", str(kmnist))
    run = ranks.train(new_run(kmnist, data={"name": "torchvision:KMNIST"}))
    assert "test/accuracy" in history(run)[-1][1]


@pytest.mark.parametrize(
    "name, message, hint",
    [
        ("torchvision:KMNIST", "not staged: there is no folder .*torch", "KMNIST.*download=True"),
        ("torchvision:EMNIST", "no split 'train': .*'letters'", r"data\.split"),
        ("torchvision:CocoDetection", "has boxes, and no class for each picture", "of your own"),
        ("torchvision:CIFAR11", "no 'CIFAR11'", "CIFAR10"),
        ("torchvision:cifar10", "no 'cifar10'", "CIFAR10"),
        ("torchvision:KMNISD", "no 'KMNISD'", "KMNIST"),
        ("torch_geometric:TUDataset", "is several data sets", "torch_geometric:TUDataset:NAME"),
        (
            "torch_geometric:TUDataset:MUTAG",
            "there is no folder .*TUDataset",
            r"TUDataset\(.*MUTAG",
        ),
        ("torch_geometric:KarateClub:Zachary", "does not take these options", "transform"),
        ("torch_geometric:DBLP", "has nodes of several types", "function of your own"),
        ("torch_geometric:FB15k_237", "has edges to predict", "my_dataset"),
        ("torch_geometric:Planetoyd", "no 'Planetoyd'", "Planetoid"),
    ],
)
def test_what_is_not_there_is_said_with_what_to_type(tmp_path, name, message, hint):
    with pytest.raises(UserError, match=message) as refused:
        reading.given(source(name), tmp_path, tmp_path)
    assert re.search(hint, refused.value.hint)


def refusal(tmp_path, name):
    """The error for a data set that is not in its folder."""
    (tmp_path / "torchvision").mkdir()
    with pytest.raises(UserError) as refused:
        reading.given(source(name), tmp_path, tmp_path)
    return refused.value


def test_a_data_set_that_is_staged_by_splits_is_told_with_the_commands_of_all(tmp_path):
    refused = refusal(tmp_path, "torchvision:SVHN")
    assert refused.message.endswith("Dataset not found or corrupted.")
    for split in ("train", "test"):
        assert f"SVHN('{tmp_path}/torchvision', split='{split}', download=True)" in refused.hint


def test_no_data_set_is_fetched_by_a_plan_though_its_class_would(tmp_path):
    assert "Dataset not found" in refusal(tmp_path, "torchvision:SEMEION").message


@pytest.mark.parametrize(
    "name, hint",
    [
        ("QMNIST", "QMNIST('{}/torchvision', train=True, download=True)"),
        ("FER2013", "It has no download: torchvision's page of FER2013 says what to put there."),
    ],
)
def test_a_command_that_fetches_is_named_where_there_is_one(tmp_path, name, hint):
    assert hint.format(tmp_path) in refusal(tmp_path, f"torchvision:{name}").hint


def test_a_test_split_that_cannot_be_read_is_not_taken_for_one_that_is_not_there(
    tmp_path, monkeypatch
):
    class Some:
        def __init__(self, root, split):
            if split == "val":
                raise ValueError("Unknown value 'val' for argument split.")
            if split == "test":
                raise ValueError("mat-file is truncated")

    monkeypatch.setattr("hpc_dl.data.library_source.find_class", lambda *_: Some)
    with pytest.raises(UserError, match=r"no readable copy of torchvision:Some: mat-file is trunc"):
        reading.given(source("torchvision:Some"), tmp_path, tmp_path)


@pytest.fixture
def folders(tmp_path):
    """Pictures of two sizes, in torchvision's layout."""
    for number, side in enumerate((8, 8, 8, 6) * 5):
        file = tmp_path / "pictures" / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (side, side), number).save(file)
    return tmp_path


def test_pictures_of_mixed_sizes_are_refused_unless_they_are_resized(folders):
    wanted = {"root": str(folders / "pictures")}
    with pytest.raises(UserError, match="mixed sizes") as refused:
        reading.given(source("torchvision:ImageFolder", **wanted), folders, folders)
    assert "data.size" in refused.value.hint
    resized = source("torchvision:ImageFolder", size=[7, 9], **wanted)
    facts, _ = reading.given(resized, folders, folders)
    assert (facts.shape, facts.classes) == ((3, 7, 9), ("a", "b"))


def test_all_pictures_of_a_data_set_that_cannot_be_read_are_named(folders):
    for number in (0, 4):
        (folders / "pictures" / "a" / f"{number}.png").write_bytes(b"no picture")
    wanted = source("torchvision:ImageFolder", root=str(folders / "pictures"), size=[7, 9])
    with pytest.raises(UserError, match=r"train: text: .*a/0\.png, .*a/4\.png\nRemove or repl"):
        reading.given(wanted, folders, folders)


def test_a_named_pipe_among_the_files_of_a_data_set_is_not_opened(folders):
    os.mkfifo(folders / "pictures" / "a" / "x.png")
    wanted = source("torchvision:ImageFolder", root=str(folders / "pictures"), size=[7, 9])
    with pytest.raises(UserError, match=r"a named pipe, not a file: .*a/x\.png"):
        reading.given(wanted, folders, folders)


def test_a_data_set_whose_folder_is_empty_is_told_in_the_words_of_the_library(tmp_path):
    (tmp_path / "torchvision").mkdir()
    with pytest.raises(UserError, match=r"not staged in .*: Dataset not found\.\n"):
        reading.given(source("torchvision:KMNIST"), tmp_path, tmp_path)


def test_torchvisions_folders_do_not_make_classes_of_splits(tmp_path):
    for split in ("train", "test"):
        (tmp_path / split / "a").mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / split / "a" / "0.png")
    wanted = source("torchvision:ImageFolder", root=str(tmp_path))
    with pytest.raises(UserError, match="test, train look like splits") as refused:
        reading.given(wanted, tmp_path, tmp_path)
    assert "image_folder" in refused.value.hint


@pytest.mark.parametrize(
    "names, message", [(("trainset", "testset"), "like splits"), (("images", "masks"), "masks")]
)
def test_torchvisions_folders_of_other_things_are_no_classes(tmp_path, names, message):
    for name in names:
        (tmp_path / name).mkdir()
        Image.new("L", (8, 8)).save(tmp_path / name / "0.png")
    wanted = source("torchvision:ImageFolder", root=str(tmp_path))
    with pytest.raises(UserError, match=f"{message}, but would be classes"):
        reading.given(wanted, tmp_path, tmp_path)


def test_an_option_that_a_data_set_asserts_is_refused_by_its_value(tmp_path):
    with pytest.raises(UserError, match=r"does not take these options: .*split='nope'"):
        reading.given(source("torch_geometric:Planetoid:Cora", split="nope"), tmp_path, tmp_path)


def test_a_data_set_that_makes_its_graphs_is_there(tmp_path):
    facts, _ = reading.given(source("torch_geometric:KarateClub"), tmp_path, tmp_path)
    assert (facts.task, facts.shape, facts.undirected) == ("classify_nodes", (34,), True)


def test_grey_pictures_among_coloured_ones_become_rgb_and_the_plan_says_so(tmp_path, monkeypatch):
    class Some:
        """A data set of torchvision's that gives pictures as they are in their files."""

        def __init__(self, root):
            modes = ("L", "RGB", "RGBA", "I;16")
            self.pictures = [Image.new(mode, (4, 4), (9,) * len(mode)) for mode in modes[1:3]]
            self.pictures += [Image.new(mode, (4, 4), 9 * 257) for mode in modes[3:]]
            self.pictures += [Image.new("L", (4, 4), 9)]

        def __len__(self):
            return 40

        def __getitem__(self, number):
            return self.pictures[number % 4], number % 2

    monkeypatch.setattr("hpc_dl.data.library_source.find_class", lambda *_: Some)
    facts, given = reading.given(source("torchvision:Some"), tmp_path, tmp_path)
    assert (facts.shape, facts.notes) == (
        (3, 4, 4),
        ("20 of 40 pictures are grey, and become RGB",),
    )
    first = given["train"].tensors["image"][:4, :, 0, 0]
    assert first.tolist() == [[9] * 3, [246] * 3, [9] * 3, [9] * 3]


def test_labels_without_names_are_classes_called_by_their_numbers(tmp_path, monkeypatch):
    class Some(list):
        """A data set of torchvision's without names of classes."""

        def __init__(self, root):
            picture = Image.new("L", (4, 4), 9)
            super().__init__((picture, number % 2 * 4_000_000_000) for number in range(40))

    monkeypatch.setattr("hpc_dl.data.library_source.find_class", lambda *_: Some)
    facts, given = reading.given(source("torchvision:Some"), tmp_path, tmp_path)
    assert facts.classes == ("0", "4000000000")
    assert given["train"].tensors["label"].tolist() == [0, 1] * 20


@pytest.mark.skipif(not CORA.exists(), reason="Cora is not staged")
def test_planetoid_read_by_torch_geometric_itself_is_our_cora(tmp_path):
    wanted = source("torch_geometric:Planetoid:Cora", root=str(CORA.parent))
    theirs = reading.load(wanted, tmp_path, tmp_path)
    ours = reading.load(source("cora"), CORA.parent.parent, tmp_path)
    assert theirs.facts.train == ours.facts.train == 140
    for name in ("train", "validation", "test"):
        a, b = (getattr(it, name).batch(torch.arange(9)) for it in (theirs, ours))
        assert all(torch.equal(a[key], b[key]) for key in ("at", "label", "edge"))
    assert list((tmp_path / "cache").iterdir()), "it is processed once"


@pytest.mark.parametrize(
    "error, said",
    [
        (ImportError("no rdkit"), "needs a package that is not installed: no rdkit"),
        (KeyError("idx"), "cannot be read from .*: KeyError: 'idx'"),
    ],
)
def test_any_error_of_a_library_is_told_with_the_name_of_the_set(
    tmp_path, monkeypatch, error, said
):
    class Some:
        def __init__(self, root):
            raise error

    monkeypatch.setattr("hpc_dl.data.library_source.find_class", lambda *_: Some)
    with pytest.raises(UserError, match=f"torchvision:Some {said}"):
        reading.given(source("torchvision:Some"), tmp_path, tmp_path)
