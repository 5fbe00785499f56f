"""Arrays as users have them."""

import numpy as np
import pytest

from tests.support.unusual_data import Case, check

RNG = np.random.default_rng(0)
LABELS = np.arange(40) % 4
TABLE = RNG.standard_normal((40, 3))
IMAGES = RNG.random((40, 8, 8))
WORDS = np.array(["cat", "dog", "ant", "bee"])


def npz(options=None, **arrays):
    """Return what writes arrays, and names `x` and `y` of them."""

    def make(folder):
        np.savez(folder / "a.npz", **{"x": TABLE, "y": LABELS, **arrays})
        named = {"name": "npz", "path": str(folder / "a.npz"), "inputs": "x", "labels": "y"}
        return {**named, **(options or {})}

    return make


def cut(folder):
    options = npz()(folder)
    file = folder / "a.npz"
    file.write_bytes(file.read_bytes()[:-200])
    return options


def marked(value, dtype=np.int64):
    """Return labels of which four are no classes."""
    return np.where(np.arange(40) < 4, value, LABELS).astype(dtype)


def changed(array, value, *places):
    found = array.copy()
    for place in places:
        found[place] = value
    return found


FILES = [
    Case("an npz that is cut off", cut, "submission", "data.path: …a.npz is no readable npz: "),
]
LABELLED = [
    Case(
        "labels from 1",
        npz(y=LABELS + 1),
        "trains",
        "labels have gaps or do not count from 0: the classes are '1', '2', '3', '4'\n"
        "classes are known by their names: the `label` 0 that is predicted is class '1'",
    ),
    Case(
        "labels with gaps",
        npz(y=np.choose(LABELS, [0, 5, 9, 9])),
        "trains",
        "labels have gaps or do not count from 0: the classes are '0', '5', '9'",
    ),
    Case(
        "labels that are large numbers",
        npz(y=LABELS * 10**9),
        "trains",
        "the classes are '0', '1000000000', '2000000000', '3000000000'",
    ),
    Case("labels -1 and 1", npz(y=LABELS % 2 * 2 - 1), "trains", "the classes are '-1', '1'"),
    Case(
        "-1 for examples without a label",
        npz(y=marked(-1)),
        "submission",
        "data.labels: 'y': label -1 of 4 of 40 examples (0, 1, 2 and 1 more) is no class…"
        "keep = y != -1; x, y = x[keep], y[keep]",
    ),
    Case(
        "-1 in unsigned labels",
        npz(y=marked(-1).astype(np.uint32)),
        "submission",
        "label 4294967295 of 4 of 40 examples (0, 1, 2 and 1 more) is no class",
    ),
    Case(
        "255 for examples without a label",
        npz(y=marked(255, np.uint8)),
        "submission",
        "label 255 of 4 of 40 examples",
    ),
    Case(
        "labels of uint64 beyond int64",
        npz(y=LABELS.astype(np.uint64) + np.uint64(2**63)),
        "trains",
        "the classes are '9223372036854775808', ",
    ),
    Case(
        "one-hot labels",
        npz(y=np.eye(4)[LABELS]),
        "trains",
        "labels are rows with a single 1, whose place is the class",
    ),
    Case(
        "one-hot labels with an axis too many",
        npz(y=np.eye(4, dtype=bool)[LABELS][:, None]),
        "trains",
        "labels are rows with a single 1",
    ),
    Case(
        "one-hot labels of 0 and 255",
        npz(y=np.eye(4, dtype=np.uint8)[LABELS] * 255),
        "submission",
        "with a single number in each row that is not 1\nThe class of the largest…y.argmax(axis=1)",
    ),
    Case(
        "several labels for an example",
        npz(y=changed(np.eye(4)[LABELS], 1, (3, slice(2)), (5, slice(2)))),
        "submission",
        "'y' is (40, 4), and a row has to have a single 1: rows with several: 3, 5\n"
        "An example has one class",
    ),
    Case(
        "soft labels",
        npz(y=np.full((40, 4), 0.25)),
        "submission",
        "shares of classes, but an example has one class\nThe class of the largest",
    ),
    Case(
        "a row of numbers as the label",
        npz(y=TABLE),
        "submission",
        "'y' is (40, 3) float64, but classes are…To predict 3 numbers: data.task: regress",
    ),
    Case(
        "a picture as the label",
        npz(y=IMAGES),
        "submission",
        "A class for each pixel or step is not supported",
    ),
    Case(
        "numbers as labels, one of them missing",
        npz(y=changed(LABELS / 2, np.nan, 7)),
        "submission",
        "data.labels: 'y': 2 faults\n  1 of 40 labels are nan or infinite, of examples: 7\n  "
        "19 of 40 labels are no whole numbers, like 0.5, of examples: 1, 3, 5 and 16 more\n"
        "Leave those out: …data.task: regress.",
    ),
    Case(
        "a different number for each example",
        npz(y=np.arange(40)),
        "submission",
        "40 different labels for 40 examples: hardly classes\nTo predict numbers: data.task: reg",
    ),
    Case(
        "a different word for each example",
        npz(y=np.array([f"patient {n}" for n in range(40)])),
        "submission",
        "40 different labels for 40 examples: hardly classes\nLabels name classes",
    ),
    Case("words as labels", npz(y=WORDS[LABELS]), "trains", "labels are words, and classes in"),
    Case("bytes as labels", npz(y=WORDS[LABELS].astype("S")), "trains", "labels are words"),
    Case(
        "words that differ in case",
        npz(y=np.array(["cat", "Cat", "dog", "dog"])[LABELS]),
        "trains",
        "classes 'Cat', 'cat' are several, though their names are nearly the same",
    ),
    Case(
        "empty words",
        npz(y=np.array(["b", " "] * 20)),
        "submission",
        "'y': 20 of 40 labels are empty, of examples: 1, 3, 5 and 17 more",
    ),
    Case(
        "words that are not UTF-8",
        npz(y=np.array([b"K\xe4se", b"Brot"] * 20)),
        "submission",
        "has a word that is not in UTF-8",
    ),
    Case(
        "dates as labels",
        npz(y=LABELS.astype("M8[s]")),
        "submission",
        "'y' holds dates, not classes",
    ),
    Case("pickled labels", npz(y=LABELS.astype(object)), "submission", "holds Python objects"),
    Case("a scalar as the labels", npz(y=np.array(1)), "submission", "and 0 labels"),
    Case(
        "a label too few", npz(y=LABELS[:39]), "submission", "40 examples to train, and 39 labels"
    ),
    Case("no examples", npz(x=TABLE[:0], y=LABELS[:0]), "submission", "there are none"),
    Case("no columns", npz(x=TABLE[:, :0]), "submission", "there are none"),
]
INPUTS = [
    Case(
        "gaps in a table",
        npz(x=changed(TABLE, np.nan, (7, 2))),
        "node",
        "data.inputs: 'x': table: nan in 1 of 40 examples: [7, 2]",
    ),
    Case("floats up to 255", npz(x=IMAGES * 255), "node", "floats have to lie in"),
    Case("pickled examples", npz(x=TABLE.astype(object)), "submission", "holds Python objects"),
    Case(
        "numbers as text",
        npz(x=TABLE.astype(str)),
        "submission",
        "'x' holds text, not real numbers\nIf it is numbers as text: x.astype(float)",
    ),
    Case(
        "complex numbers",
        npz(x=TABLE * 1j),
        "submission",
        "'x' holds complex numbers…numpy.stack([x.real, x.imag]",
    ),
    Case("a constant", npz(x=np.ones((40, 3))), "node", "every value is 1: there is nothing to"),
    Case(
        "pictures of 12 bits",
        npz(x=RNG.integers(0, 4096, (40, 8, 8), np.uint16)),
        "submission",
        "'x' is uint16, but images are",
    ),
    Case(
        "pictures of int64",
        npz(x=RNG.integers(0, 256, (40, 8, 8, 3))),
        "submission",
        "'x' is int64, but images are",
    ),
    Case(
        "two channels, last",
        npz(x=RNG.random((40, 12, 12, 2))),
        "submission",
        "12 channels of 12 x 2 pixels",
    ),
    Case(
        "many channels, last",
        npz(x=RNG.random((40, 9, 9, 200))),
        "submission",
        "9 channels of 9 x 200 pixels",
    ),
    Case(
        "examples along the last axis",
        npz(x=RNG.random((8, 8, 40))),
        "submission",
        "8 examples to train, and 40 labels\n…moveaxis(x, 2, 0)",
    ),
    Case(
        "pictures of 0 and 1",
        npz(x=RNG.integers(0, 2, (40, 8, 8), np.uint8)),
        "node",
        "brightest pixel of all images is 1,",
    ),
    Case(
        "pictures that were divided by 255 twice",
        npz(x=IMAGES / 255),
        "node",
        "but white is 1\nScale them",
    ),
    Case("one axis", npz(x=TABLE[:, 0]), "submission", "which is no kind of example"),
]
CASES = [*FILES, *LABELLED, *INPUTS]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
