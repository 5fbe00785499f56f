"""Folders of pictures: which are splits, which are classes, and what is not read without a word."""

import os
import re

import pytest
from PIL import Image

from hpc_dl.data.class_folders import scan
from hpc_dl.data.pictures import folders
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.image_folder import ImageFolder
from tests.support import reading

PICTURES = 4
"""In each folder."""


def make(root, *places, suffix="png"):
    """A source with a few pictures in each of these folders."""
    for shade, place in enumerate(places):
        (root / place).mkdir(parents=True, exist_ok=True)
        for number in range(PICTURES):
            Image.new("L", (4, 4), 10 * shade + number).save(root / place / f"{number}.{suffix}")
    return source(root)


def source(root):
    return ImageFolder(
        name="image_folder", root=str(root), size=[4, 4], channels=1, validation=0.2, test=0.2
    )


def found(root, *places):
    """The facts that a plan has, those of the training being the same by either path."""
    wanted = make(root, *places)
    facts = reading.describe(wanted, root.parent)
    for workers in (None, 0):
        splits = reading.load(wanted, root.parent, root, workers)
        assert splits.facts == facts
        assert splits.facts.notes == facts.notes
    return facts


def counts(facts):
    return facts.train, facts.validation, facts.test


@pytest.fixture
def root(tmp_path):
    return tmp_path / "pictures"


@pytest.mark.parametrize("train", ["train", "Train", "TRAIN", "training", "Training"])
@pytest.mark.parametrize("test", ["test", "Test", "testing"])
def test_splits_are_known_by_their_usual_names_in_any_case(root, train, test):
    make(root, f"{train}/a", f"{train}/b", f"{test}/a", f"{test}/b")
    facts = reading.describe(source(root), root)
    assert facts.classes == ("a", "b")
    assert counts(facts) == (6, 2, 8)
    renamed = [it for it in facts.notes if it.startswith("splits by the names of folders")]
    assert bool(renamed) == (train != "train" or test != "test")


@pytest.mark.parametrize("name", ["val", "valid", "Validation", "DEV"])
def test_a_validation_folder_is_read_under_each_of_its_names(root, name):
    facts = found(root, "train/a", "train/b", f"{name}/a", f"{name}/b")
    assert counts(facts) == (6, 8, 2)
    assert f"splits by the names of folders: {name}/ as validation" in facts.notes


@pytest.mark.parametrize("names", [("val", "valid"), ("Train", "train"), ("test", "testing")])
def test_two_folders_of_one_split_are_refused(root, names):
    make(root, "train/a", "train/b", *(f"{name}/a" for name in names))
    with pytest.raises(UserError, match=f"several folders of the .* split: {', '.join(names)}"):
        reading.describe(source(root), root)


def test_what_is_neither_split_nor_class_is_named(root):
    make(root, "train/a", "train/b", "extra/c", "__MACOSX/train", ".")
    make(root, "train")
    for name in ("README.txt", "labels.csv"):
        (root / name).touch()
    notes = reading.describe(source(root), root).notes
    assert "not read in pictures: __MACOSX/, extra/, 0.png, 1.png, 2.png and 3 more" in notes
    assert "not read in train: 0.png, 1.png, 2.png, 3.png" in notes


def test_files_beside_classes_are_named_and_no_others_are_lost(root):
    make(root, "a", "b", "__MACOSX")
    (root / "labels.csv").touch()
    facts = reading.describe(source(root), root)
    assert facts.classes == ("a", "b")
    assert "not read in pictures: __MACOSX/, labels.csv" in facts.notes


def test_files_that_are_no_pictures_are_counted_by_suffix(root):
    make(root, "a", "b")
    for name in ("a/1.txt", "a/2.TXT", "b/3.csv", "b/4", "b/Thumbs.db", "b/.DS_Store", "b/._0.png"):
        (root / name).touch()
    assert "files of classes that are not read: 2 .txt, 1 .csv, 1 without suffix" in (
        reading.describe(source(root), root).notes
    )


def test_a_file_that_is_put_beside_the_pictures_is_no_change_of_the_data(root):
    before = reading.describe(make(root, "a", "b"), root)
    (root / "README.txt").touch()
    after = reading.describe(source(root), root)
    assert before == after
    assert after.notes == ("not read in pictures: README.txt",)


def test_hidden_folders_are_read_nowhere(root):
    make(root, "a", "b", ".ipynb_checkpoints", "a/.ipynb_checkpoints", "b/@eaDir")
    facts = reading.describe(source(root), root)
    assert (facts.classes, sum(counts(facts)), facts.notes) == (("a", "b"), 8, ())


def test_a_suffix_in_capitals_is_one(root):
    make(root, "a", suffix="PNG")
    make(root, "b", suffix="Jpg")
    make(root, "b", suffix="pgm")
    assert sum(counts(reading.describe(source(root), root))) == 12


def test_pictures_below_a_class_count_to_it_and_the_plan_says_so(root):
    facts = found(root, "a/2023", "a/2024/may", "b")
    assert (facts.classes, sum(counts(facts))) == (("a", "b"), 12)
    assert "pictures in sub-folders count to their class: a/2023, a/2024, a/2024/may" in facts.notes


@pytest.mark.parametrize(
    "places, message, hint",
    [
        (["train/a", "train/b", "test/a", "test/c"], "test has classes .*: c$", "are: a, b"),
        (["train/Cat", "train/b", "test/cat"], "has classes .*: cat$", "Cat"),
        (["test/a", "test/b"], "has test but no train", "CLASS"),
        (["train", "test"], "train has no folder for a class", "train/CLASS"),
        (["data/train/a", "data/test/a"], "one folder, data, which", "pictures/data"),
        (["all/a", "all/b"], "one folder, all, which holds folders alone", "pictures/all"),
        (["a/train", "a/test", "b/train", "b/test"], "class a .*: test, train", "test/a"),
        (["train_images/a", "test_images/a"], "look like splits", "train, validation and test"),
        (["trainA", "trainB", "testA", "testB"], "look like splits", "train, validation and test"),
        (["trainset/a", "testset/a"], "look like splits", "train, validation and test"),
        (["seg_train/a", "seg_test/a", "seg_pred"], "seg_test, seg_train in .* look like", "train"),
        (["train", "test1"], "test1, train in .* look like splits", "train, validation and test"),
        (["train/train/a", "train/train/b"], "has one folder, train, which holds", "up into"),
        (["images", "masks"], "images, masks look like pictures and their masks", "one class"),
        (["train/Images/a", "train/Labels/a"], "look like pictures and their masks", "one class"),
    ],
)
def test_what_would_be_guessed_is_refused(root, places, message, hint):
    with pytest.raises(UserError) as refused:
        reading.describe(make(root, *places), root)
    assert re.search(message, refused.value.message)
    assert hint in refused.value.hint


def test_a_class_that_a_split_lacks_is_counted(root):
    make(root, "train/a", "train/b", "train/c", "val/a", "val/b", "test/b")
    (root / "test" / "a").mkdir()
    facts = reading.describe(source(root), root)
    assert facts.class_counts == {
        "train": (4, 4, 4),
        "validation": (4, 4, 0),
        "test": (0, 4, 0),
    }
    labels = reading.load(source(root), root, root).test.tensors["label"]
    assert labels.unique().tolist() == [1]


def test_all_classes_that_are_empty_are_named(root):
    make(root, "a")
    for name in ("b", "c"):
        (root / name).mkdir()
        (root / name / "x.heic").touch()
    with pytest.raises(UserError, match="no picture of class b, c") as refused:
        reading.describe(source(root), root)
    assert "2 .heic" in refused.value.hint
    make(root, "train/a")
    (root / "test" / "a").mkdir(parents=True)
    with pytest.raises(UserError, match="/test has no picture"):
        reading.describe(source(root), root)


def test_train_is_a_class_among_other_vehicles(root):
    facts = found(root, "boat", "plane", "train")
    assert facts.classes == ("boat", "plane", "train")
    assert any("folder train is read as a class" in note for note in facts.notes)


def test_classes_of_nearly_the_same_name_are_pointed_out(root):
    names = ("Cat", "cat ", "Caf\u00e9", "Cafe\u0301", "dog")
    notes = reading.describe(make(root, *names), root).notes
    assert sum("names are nearly the same" in note for note in notes) == 2
    assert any("'Cat'" in note and "'cat '" in note for note in notes)


@pytest.mark.parametrize(
    "names, said", [(["1", "2"], "0 .* is class '1'"), (["0", "1", "10", "2"], "2 .* class '10'")]
)
def test_classes_that_are_numbers_are_not_taken_for_their_places(root, names, said):
    (note,) = reading.describe(make(root, *names), root).notes
    assert re.search(f"the `label` {said}", note)
    assert not reading.describe(make(root / "plain", "0", "1", "2"), root).notes


def test_what_windows_leaves_is_no_class(root):
    make(root, "a", "b", "$RECYCLE.BIN")
    (root / "a" / "Desktop.ini").touch()
    facts = reading.describe(source(root), root)
    assert facts.classes == ("a", "b")
    assert facts.notes == ("not read in pictures: $RECYCLE.BIN/",)


def test_a_split_of_a_whole_is_pointed_out(root):
    make(root, "train/a", "train/b", "test/a", "test/b")
    (note,) = reading.describe(source(root / "train"), root).notes
    assert note == f"not read: test beside train; data.root: {root} has them all"


def test_links_are_followed_once_and_never_in_circles(root, tmp_path):
    make(tmp_path / "elsewhere", "old", "b")
    make(root, "a/new")
    (root / "a" / "again").symlink_to(root / "a" / "new")
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "old").symlink_to(tmp_path / "elsewhere" / "old")
    (root / "b").symlink_to(tmp_path / "elsewhere" / "b")
    (root / "b" / "self").symlink_to(root / "b")
    facts = reading.describe(source(root), root)
    assert facts.classes == ("a", "b")
    repeated = next(note for note in facts.notes if note.startswith("links to folders"))
    assert "a/again" in repeated
    assert "b/self" in repeated


def test_a_folder_that_is_read_for_two_classes_or_splits_is_pointed_out(root):
    make(root, "train/a", "train/b")
    (root / "test").mkdir()
    for name in "ab":
        (root / "test" / name).symlink_to(root / "train" / name)
    notes = reading.describe(source(root), root).notes
    same = "the same folder by links, its pictures are read for each: "
    assert f"{same}train/a, test/a" in notes
    assert f"{same}train/b, test/b" in notes


@pytest.mark.parametrize("place", ["", "a", "a/deep"])
def test_a_folder_that_cannot_be_read_is_an_error(root, monkeypatch, place):
    make(root, "a/deep", "b")
    scandir, locked = os.scandir, root / place

    def refusing(folder):
        if str(folder) == str(locked):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(UserError, match=rf"{locked} cannot be read: Permission denied"):
        scan.scan(str(root), folders.PICTURES)
