"""Folders of pictures as users have them: names, links, and how the files lie."""

import os
import shutil
import socket
import tempfile
import zipfile
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from hpc_dl.jobspec.sources import DataSpec
from tests.support import reading
from tests.support.unusual_data import Case, check
from tests.support.unusual_pictures import (
    JPEG,
    PLAIN,
    folders,
    options,
    usual,
    with_file,
    with_place,
)


def listen(place):
    """Make a socket; its name is short, as that of one may be."""
    short = Path(tempfile.gettempdir()) / f"hpcdl-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(short))
        short.rename(place)


def flat(table):
    def make(folder):
        root = folder / "kaggle"
        root.mkdir()
        for number, content in enumerate(PLAIN):
            (root / f"{number}.png").write_bytes(content)
        if table:
            (root / table).write_text("id,breed\n0,poodle\n")
        return options(root)

    return make


def dead_link(folder):
    (folder / "pictures").symlink_to("purged")
    return options(folder / "pictures")


def table_alone(folder):
    (folder / "tables").mkdir()
    (folder / "tables" / "labels.csv").write_text("id,breed\n0,poodle\n")
    return options(folder / "tables")


def archive(folder):
    with zipfile.ZipFile(folder / "pictures.zip", "w") as file:
        file.writestr("cat/0.png", PLAIN[0])
    return options(folder / "pictures.zip")


def one_file(folder):
    (folder / "cat.png").write_bytes(PLAIN[0])
    return options(folder / "cat.png")


def leaked(folder):
    usual(folder / "pictures", "train/cat", "train/dog", "test/cat", "test/dog")
    shutil.copy(folder / "pictures/train/cat/0.png", folder / "pictures/test/cat/copy.png")
    return options(folder / "pictures")


def copied(source, target):
    def make(folder):
        usual(folder / "pictures")
        shutil.copy(folder / "pictures" / source, folder / "pictures" / target)
        return options(folder / "pictures")

    return make


def unpacked_twice(folder):
    usual(folder / "pictures", "dogs/dogs/poodle", "dogs/dogs/beagle")
    return options(folder / "pictures")


def copied_below(folder):
    usual(folder / "pictures", "cat", "dog", "all/cat", "all/dog")
    return options(folder / "pictures")


def with_flat(split):
    """Splits of which one has pictures, and no classes; so a folder of Kaggle often is."""

    def make(folder):
        usual(folder / "pictures", "train/cat", "train/dog", split)
        return options(folder / "pictures")

    return make


def with_list(*places):
    """Folders of pictures, and one of texts."""

    def make(folder):
        usual(folder / "pictures", *places)
        (folder / "pictures" / "meta").mkdir()
        (folder / "pictures" / "meta" / "classes.txt").touch()
        return options(folder / "pictures")

    return make


def odd_root(written):
    def make(folder):
        usual(folder / "pictures")
        return options(written.format(folder=folder))

    return make


def empty_class(folder):
    usual(folder / "pictures")
    (folder / "pictures" / "bird").mkdir()
    return options(folder / "pictures")


def lone_picture(folder):
    usual(folder / "pictures")
    (folder / "pictures" / "bird").mkdir()
    (folder / "pictures" / "bird" / "0.png").write_bytes(PLAIN[9])
    return {**options(folder / "pictures"), "validation": 0.1, "test": 0.1, "split_seed": 1}


def twins(folder):
    usual(folder / "pictures", "café", "cafe\u0301")
    return options(folder / "pictures")


UNREADABLE = "data.root: 1 of 9 pictures in … cannot be read: "
CASES = [
    # what names are
    Case(
        "a file name in Latin-1",
        with_file(os.fsdecode(b"caf\xe9.png"), PLAIN[9]),
        "submission",
        "data.root: …pictures: names not in UTF-8: cat/caf\\udce9.png\nRename them, for example",
    ),
    Case(
        "the name of a class in Latin-1",
        folders("cat", os.fsdecode(b"caf\xe9")),
        "submission",
        "data.root: the name of folder 'caf\\udce9' in …pictures is not in UTF-8",
    ),
    Case(
        "a file beside the pictures whose name is in Latin-1",
        with_file(os.fsdecode(b"x.caf\xe9"), b""),
        "trains",
        "files of classes that are not read: 1 .caf\\udce9",
    ),
    Case("the name of a file with a line break", with_file("a\nb.png", PLAIN[9]), "trains"),
    Case(
        "a broken picture with such a name",
        with_file("a\nb.png", b""),
        "submission",
        UNREADABLE + "empty: cat/a\\nb.png",
    ),
    Case("names of signs", with_file("$HOME %d '\"`{}\\ 🐈.png", PLAIN[9]), "trains"),
    Case("classes $10_$20 and 50%", folders("$10_$20", "50%"), "trains"),
    Case("a name of 255 bytes", with_file("x" * 251 + ".png", PLAIN[9]), "trains"),
    Case(
        "classes café in two ways of writing é",
        twins,
        "trains",
        "classes 'cafe\u0301', 'café' are several, though their names are nearly the same",
    ),
    Case(
        "what macOS leaves beside a picture",
        with_file("._0.png", b"left behind"),
        "trains",
    ),
    Case(
        "names with a blank at their end",
        with_file("#.png ", PLAIN[9]),
        "trains",
        "files of classes that are not read: 1 .png",
    ),
    Case(
        "names that a scraper took from addresses",
        with_file("x.jpg?w=#", JPEG, 9),
        "trains",
        "files of classes that are not read: 1 .jpg?w=…and 4 more",
    ),
    Case(
        "JPEGs without a suffix",
        with_file("#", JPEG, 3),
        "trains",
        "files of classes that are not read: 3 without suffix",
    ),
    # what is no file
    Case(
        "a named pipe",
        with_place(os.mkfifo),
        "submission",
        "data.root: …pictures: a named pipe, not a file: cat/x.png",
    ),
    Case(
        "a socket",
        with_place(listen),
        "submission",
        "data.root: …pictures: a socket, not a file: cat/x.png",
    ),
    Case(
        "a link to a device",
        with_place(lambda place: place.symlink_to("/dev/zero")),
        "submission",
        "data.root: …pictures: a device, not a file: cat/x.png",
    ),
    Case(
        "a link to nowhere",
        with_place(lambda place: place.symlink_to("purged.png")),
        "submission",
        "data.root: …pictures: a link to nowhere: cat/x.png",
    ),
    Case(
        "a link to itself",
        with_place(lambda place: place.symlink_to(place)),
        "submission",
        "data.root: …pictures: Too many levels of symbolic links: cat/x.png",
    ),
    Case(
        "a folder of a class that leads back to the root",
        with_place(lambda place: (place.parent / "up").symlink_to(place.parents[1])),
        "trains",
        "pictures in sub-folders count to their class",
    ),
    # how folders lie
    Case(
        "the same picture in train and test",
        leaked,
        "trains",
        "1 picture is in several splits, byte for byte the same: what is measured on them is "
        "too good, such as train/cat/0.png and test/cat/copy.png (2 files)",
    ),
    Case(
        "the same picture in two classes",
        copied("cat/0.png", "dog/9.png"),
        "trains",
        "1 picture is in several classes, byte for byte the same, such as cat/0.png and dog/9.png",
    ),
    Case(
        "the same picture twice",
        copied("cat/0.png", "cat/0 (1).png"),
        "trains",
        "1 picture is there several times, byte for byte the same, of which one may be drawn for "
        "the test, such as cat/0 (1).png and cat/0.png",
    ),
    Case(
        "a folder of Kaggle: pictures, and a table of labels",
        flat("labels.csv"),
        "submission",
        "data.root: …kaggle has no folder for a class: 16 pictures lie directly in it\n"
        "Pictures are looked for as …kaggle/CLASS/*.png or …kaggle/train/CLASS/*.png. "
        "Move each into a folder named after its class, as labels.csv has it.",
    ),
    Case(
        "a test split without classes",
        with_flat("test"),
        "submission",
        "data.root: …pictures/test has no folder for a class: 4 pictures lie directly in it\n"
        "Pictures are looked for as …pictures/test/CLASS/*.png. If its classes are not known, move "
        "test out of …pictures: a test split is drawn then.",
    ),
    Case(
        "a validation split of one folder, which is no class",
        with_flat("val/images"),
        "submission",
        "data.root: …pictures/val has classes that …pictures/train has not: images\n"
        "To train on there are: cat, dog. If its classes are not known, move val out of …pictures: "
        "a validation split is drawn then.",
    ),
    Case(
        "a copy of all classes among the classes",
        copied_below,
        "submission",
        "data.root: folder …pictures/all would be a class, and has folders named after other "
        "classes: cat, dog\nIf it is a copy of all pictures, move it out of …pictures.",
    ),
    Case(
        "numbered folders below numbered classes",
        folders("1/1", "1/2", "2/1", "2/2"),
        "trains",
        "pictures in sub-folders count to their class: 1/1, 1/2, 2/1, 2/2",
    ),
    Case(
        "pictures by class below a folder, and another of lists",
        with_list("images/cat", "images/dog"),
        "submission",
        "data.root: …pictures has no picture of class meta\n"
        "Should it be data.root: …pictures/images?",
    ),
    Case(
        "pictures and labels of boxes, by split",
        folders("images/train", "images/val", "labels/train", "labels/val"),
        "submission",
        "data.root: …pictures: images, labels look like pictures and their masks, but would be",
    ),
    Case(
        "pictures without folders",
        flat(""),
        "submission",
        "has no folder for a class: 16 pictures lie directly in it",
    ),
    Case(
        "an archive",
        archive,
        "submission",
        "data.root: …pictures.zip is an archive\nUnpack it, and name the folder it makes.",
    ),
    Case("one picture", one_file, "submission", "data.root: …cat.png is a file\n"),
    Case(
        "a folder that is not there",
        odd_root("{folder}/pictures/gone/far"),
        "submission",
        "data.root: there is no folder …pictures/gone/far; …pictures is the last part of it that "
        "exists",
    ),
    Case(
        "a root whose name is in Latin-1",
        folders(root=os.fsdecode(b"caf\xe9")),
        "submission",
        "data.root: …caf\\udce9 is not in UTF-8\nRename",
    ),
    Case(
        "a root that is longer than names may be",
        odd_root("{folder}/" + "x" * 300),
        "submission",
        "data.root: …is no readable folder: File name too long",
    ),
    Case(
        "a folder under a variable",
        odd_root("{folder}/$SCRATCH/pictures"),
        "submission",
        "Variables like $HOME are not replaced in a spec.",
    ),
    Case(
        "a root that is a link to nowhere",
        dead_link,
        "submission",
        "data.root: …pictures is a link to purged, which is not there",
    ),
    Case(
        "a folder of tables",
        table_alone,
        "submission",
        "/train/CLASS/*.png. To read labels.csv: data.name: csv, parquet.",
    ),
    Case("a slash behind the root", odd_root("{folder}/pictures/"), "trains"),
    Case("a way around in the root", odd_root("{folder}/pictures/../pictures/."), "trains"),
    Case(
        "an archive that was unpacked into a folder of its name",
        unpacked_twice,
        "submission",
        "has one folder, dogs, which holds folders alone\nShould it be data.root: …pictures/dogs?",
    ),
    Case(
        "splits below a folder",
        folders("archive/train/cat", "archive/test/cat"),
        "submission",
        "has one folder, archive, which holds folders alone\nShould it be data.root: …/archive?",
    ),
    Case(
        "pictures and their masks",
        folders("images", "masks"),
        "submission",
        "images, masks look like pictures and their masks, but would be classes",
    ),
    Case("a class of one picture", lone_picture, "trains"),
    Case(
        "a class without a picture",
        empty_class,
        "submission",
        "has no picture of class bird\nKnown are .bmp",
    ),
    Case(
        "check-points of a notebook among the classes",
        folders("cat", "dog", ".ipynb_checkpoints"),
        "trains",
    ),
    Case(
        "a folder a day below the classes",
        folders("cat/monday", "cat/tuesday", "dog"),
        "trains",
        "pictures in sub-folders count to their class: cat/monday, cat/tuesday",
    ),
]


def test_notes_on_names_that_are_no_text_can_be_printed_anywhere(tmp_path):
    wanted = with_file(os.fsdecode(b"x.caf\xe9"), b"")(tmp_path)
    (tmp_path / "pictures" / "cat" / os.fsdecode(b"\xe9")).mkdir()
    (tmp_path / "pictures" / os.fsdecode(b"\xe9.txt")).touch()
    facts = reading.describe(TypeAdapter(DataSpec).validate_python(wanted), tmp_path)
    assert "\\udce9.txt" in "\n".join(facts.notes).encode().decode()


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
