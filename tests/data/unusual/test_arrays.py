"""Arrays as users have them."""

import numpy as np
import pytest

from tests.support.unusual_data import Case, check

LABELS = np.arange(40) % 4


def npz(**arrays):
    """Return what writes arrays, and names `x` and `y` of them."""

    def make(folder):
        np.savez(folder / "a.npz", **{"x": np.random.rand(40, 3), "y": LABELS, **arrays})
        return {"name": "npz", "path": str(folder / "a.npz"), "inputs": "x", "labels": "y"}

    return make


def cut(folder):
    options = npz()(folder)
    file = folder / "a.npz"
    file.write_bytes(file.read_bytes()[:-200])
    return options


CASES = [
    Case("an npz that is cut off", cut, "submission", "data.path: …a.npz is no readable npz: "),
]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
