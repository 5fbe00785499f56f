"""Errors of libraries become a user's, and faults are reported together."""

import pytest

from hpc_dl.data.faults import Faults, reading
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
