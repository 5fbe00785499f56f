"""Errors of libraries become a user's, and faults are reported together."""

import pytest

from hpc_dl.data.faults import Faults, reading, regular_file
from hpc_dl.errors import UserError


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (ValueError("bad\n magic"), "data.path: x.npz is no readable npz: bad magic"),
        (RuntimeError(), "data.path: x.npz is no readable npz: RuntimeError"),
        (PermissionError(13, "Permission denied", "x.npz"), "Permission denied: x.npz"),
        (FileNotFoundError(2, "No such file", "x.npz"), "data.path: there is no file x.npz"),
        (MemoryError("Unable to allocate 7 TiB"), "does not fit into memory: Unable to allocate"),
    ],
)
def test_an_error_of_a_library_names_file_and_option(raised, seen):
    with pytest.raises(UserError) as caught, reading("data.path", "x.npz", "npz"):
        raise raised
    assert seen in caught.value.message
    assert caught.value.__cause__ is raised


@pytest.mark.parametrize(
    "path, seen",
    [
        ("~nobody-here/x.npz", "data.path: ~nobody-here/x.npz is no readable path: "),
        ("x" * 300, "data.path: x* is no readable file: "),
        ("s3://bucket/x.npz", "data.path: s3://bucket/x.npz is an address, not a path"),
        (" ", "data.path: the path is empty"),
    ],
)
def test_a_path_that_cannot_be_is_named(path, seen):
    with pytest.raises(UserError, match=seen):
        regular_file("data.path", path)


def test_a_single_error_that_was_collected_is_told_as_it_is():
    faults = Faults("data.path: a.npz")
    for split in ("train", "test"):
        with faults.collect():
            raise UserError(f"data.inputs: gaps in {split}", hint="Fill them in.")
        with pytest.raises(UserError) as caught:
            faults.refuse()
        if split == "train":
            assert str(caught.value) == "data.inputs: gaps in train\nFill them in."
    assert str(caught.value).splitlines() == [
        "data.path: a.npz: 2 faults",
        "  data.inputs: gaps in train",
        "  data.inputs: gaps in test",
        "Fill them in.",
    ]


def test_faults_of_faults_are_told_in_one_list():
    array, faults = Faults("data.inputs: 'x'"), Faults("data.path: a.npz")
    array.add("nan", [3], "Fill them in.")
    array.add("infinite", [4], "Leave them out.")
    with faults.collect():
        array.refuse()
    for _ in range(2):
        with faults.collect():
            raise UserError("data.labels: 'y' is text", hint="Leave them out.")
    with pytest.raises(UserError) as caught:
        faults.refuse()
    assert str(caught.value).splitlines() == [
        "data.path: a.npz: 3 faults",
        "  data.inputs: 'x': nan: 3",
        "  data.inputs: 'x': infinite: 4",
        "  data.labels: 'y' is text",
        "Fill them in.",
        "Leave them out.",
    ]


def test_all_faults_are_reported_at_once_with_counts():
    faults = Faults("data.path: people.csv")
    faults.refuse()
    faults.add("column 'age' has gaps", [], "never seen")
    faults.add("column 'pay' has gaps", [f"row {n}" for n in range(3, 12)], "Fill them in.")
    with pytest.raises(UserError, match="pay' has gaps: row 3, row 4, row 5 and 6 more"):
        faults.refuse()
    faults.add("column 'age' is no number", ["row 4"])
    with pytest.raises(UserError) as caught:
        faults.refuse()
    assert caught.value.message.splitlines() == [
        "data.path: people.csv: 2 faults",
        "  column 'pay' has gaps: row 3, row 4, row 5 and 6 more",
        "  column 'age' is no number: row 4",
    ]
    assert caught.value.hint == "Fill them in."
