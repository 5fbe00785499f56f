"""Arrays as users have them."""

import numpy as np
import pytest

from tests.support.array_files import IMAGES, LABELS, RNG, TABLE, WORDS, npz
from tests.support.unusual_data import Case, check

SUBMISSION, NODE, TRAINS = "submission", "node", "trains"
APART = ("validation", "test")
FEW = {"inputs": TABLE[:6], "labels": LABELS[:6]}
RECORDS = np.zeros(40, [("age", "f4"), ("size", "i4")])


def changed(array, value, *places):
    found = np.array(array, dtype=np.result_type(array, type(value)))
    for place in places:
        found[place] = value
    return found


def marked(value):
    """Return labels of which four are no classes."""
    return changed(LABELS, value, slice(4))


def split(name, inputs=TABLE[:6], labels=LABELS[:6], **arrays):
    """Return what has a split of its own."""
    return npz({f"{name}_inputs": "a", f"{name}_labels": "b"}, a=inputs, b=labels, **arrays)


def called(names, **arrays):
    return npz({"class_names": names}, **arrays)


def grouped(groups):
    return npz({"groups": "g"}, g=groups)


def regressed(y):
    return npz({"task": "regress"}, y=y)


NUMBERED = [
    Case(
        "labels from 1",
        npz(y=LABELS + 1),
        TRAINS,
        "labels have gaps or do not count from 0: the classes are '1', '2', '3', '4'\n"
        "classes are known by their names: the `label` 0 that is predicted is class '1'",
    ),
    Case(
        "labels with gaps",
        npz(y=np.choose(LABELS, [0, 5, 9, 9])),
        TRAINS,
        "labels have gaps or do not count from 0: the classes are '0', '5', '9'",
    ),
    Case("labels -1 and 1", npz(y=LABELS % 2 * 2 - 1), TRAINS, "the classes are '-1', '1'"),
    Case(
        "labels of uint64 beyond int64",
        npz(y=LABELS.astype(np.uint64) + np.uint64(2**63)),
        TRAINS,
        "the classes are '9223372036854775808', ",
    ),
    Case("whole numbers as floats", npz(y=LABELS / 1), TRAINS, "labels are whole numbers as float"),
    Case("labels in a column", npz(y=LABELS[:, None]), TRAINS),
    Case("labels in a row", npz(y=LABELS[None]), TRAINS),
    Case(
        "-1 for examples without a label",
        npz(y=marked(-1)),
        SUBMISSION,
        "data.labels: 'y': label -1 of 4 of 40 examples is no class: 0, 1, 2 and 1 more\n"
        "If it marks examples without a label, leave these out: keep = y != -1; x, y = x[keep]",
    ),
    Case(
        "-1 in unsigned labels",
        npz(y=marked(-1).astype(np.uint32)),
        SUBMISSION,
        "label 4294967295 of 4 of 40 examples is no class: 0, 1, 2 and 1 more",
    ),
    Case(
        "255 for examples without a label",
        npz(y=marked(255).astype(np.uint8)),
        SUBMISSION,
        "label 255 of 4 of 40 examples is no class",
    ),
    Case(
        "several negative labels",
        npz(y=LABELS - 2),
        SUBMISSION,
        "2 faults\n  data.labels: 'y': label -2 of 10 of 40 …: label -1 of 10 of 40 …\nNumber the",
    ),
    Case(
        "fractions as labels, one of them missing",
        npz(y=changed(LABELS / 2, np.nan, 7)),
        SUBMISSION,
        "2 faults\n  data.labels: 'y': 1 of 40 labels are nan or infinite, of examples: 7\n  "
        "data.labels: 'y': 19 of 40 labels are no whole numbers, like 0.5, of …\n"
        "Leave those out: …data.task: regress.",
    ),
    Case(
        "a different number for each example",
        npz(y=np.arange(40)),
        SUBMISSION,
        "40 different labels for 40 examples: hardly classes\nTo predict numbers: data.task: reg",
    ),
]
ROWS = [
    Case("one-hot labels", npz(y=np.eye(4)[LABELS]), TRAINS, "labels are rows with a single 1, wh"),
    Case(
        "one-hot labels with gaps",
        npz(y=changed(np.eye(4)[LABELS], np.nan, 3, (5, 1))),
        SUBMISSION,
        "data.labels: 'y': 2 of 40 rows have nan: 3, 5\nLeave those out.",
    ),
    Case(
        "one-hot labels of fewer classes in the test",
        split("test", labels=np.eye(3)[LABELS[:6] % 3], y=np.eye(4)[LABELS]),
        SUBMISSION,
        "column for each class in all splits: data.labels: 'y' has 4, data.test_labels: 'b' has 3",
    ),
    Case(
        "one-hot labels with an axis too many",
        npz(y=np.eye(4, dtype=bool)[LABELS][:, None]),
        TRAINS,
        "labels are rows with a single 1",
    ),
    Case(
        "one-hot labels of 0 and 255",
        npz(y=np.eye(4, dtype=np.uint8)[LABELS] * 255),
        SUBMISSION,
        "with a single number in each row that is not 1\nThe class of the largest…y.argmax(axis=1)",
    ),
    Case(
        "several labels for an example",
        npz(y=changed(np.eye(4)[LABELS], 1, (3, slice(2)), (5, slice(2)))),
        SUBMISSION,
        "'y' is (40, 4), and a row has to have a single 1: rows with several: 3, 5\n"
        "An example has one class",
    ),
    Case(
        "soft labels",
        npz(y=np.full((40, 4), 0.25)),
        SUBMISSION,
        "shares of classes, but an example has one class\nThe class of the largest",
    ),
    Case(
        "a row of numbers as the label",
        npz(y=TABLE),
        SUBMISSION,
        "'y' is (40, 3) float64, but classes are…To predict 3 numbers: data.task: regress",
    ),
    Case("a picture as the label", npz(y=IMAGES), SUBMISSION, "A class for each pixel or step is "),
]
NAMED = [
    Case("words as labels", npz(y=WORDS[LABELS]), TRAINS, "labels are words, and classes in"),
    Case("bytes as labels", npz(y=WORDS[LABELS].astype("S")), TRAINS, "labels are words"),
    Case(
        "words that differ in case",
        npz(y=np.array(["cat", "Cat", "dog", "dog"])[LABELS]),
        TRAINS,
        "classes 'Cat', 'cat' are several, though their names are nearly the same",
    ),
    Case(
        "a different word for each example",
        npz(y=np.array([f"patient {n}" for n in range(40)])),
        SUBMISSION,
        "40 different labels for 40 examples: hardly classes\nLabels name classes",
    ),
    Case(
        "empty words",
        npz(y=np.array(["b", " "] * 20)),
        SUBMISSION,
        "'y': 20 of 40 labels are empty, of examples: 1, 3, 5 and 17 more",
    ),
    Case(
        "words in Latin-1",
        npz(y=np.array([b"K\xe4se", b"Brot"] * 20)),
        SUBMISSION,
        "'y': 20 of 40 words are not in UTF-8, like b'K\\xe4se', at: 0, 2, 4 and 17 more\nIf the",
    ),
    Case(
        "words that NumPy has made of missing ones",
        npz(y=np.array(["nan", "b"] * 20)),
        SUBMISSION,
        "'y': 20 of 40 labels are 'nan', which is written for missing ones, of examples: 0, 2, 4",
    ),
    Case("dates as labels", npz(y=LABELS.astype("M8[s]")), SUBMISSION, "'y' holds dates, not cl"),
    Case("pickled labels", npz(y=LABELS.astype(object)), SUBMISSION, "'y' holds Python objects"),
    Case("records as labels", npz(y=RECORDS), SUBMISSION, "'y' holds records, not classes"),
    Case(
        "names of the classes",
        called(["cat", "dog", "ant", "bee"]),
        TRAINS,
        "labels: 0 is 'cat', 1 is 'dog', 2 is 'ant', 3 is 'bee'",
    ),
    Case(
        "names of labels from 1, in an array",
        called("n", n=WORDS, y=LABELS + 1),
        TRAINS,
        "labels: 1 is 'cat', 2 is 'dog', 3 is 'ant', 4 is 'bee'",
    ),
    Case(
        "too few names",
        called(["cat", "dog"]),
        SUBMISSION,
        "data.class_names: 2 names, and 4 different labels, of which '2', '3' has none",
    ),
    Case(
        "too many names",
        called([*"abcdef"]),
        SUBMISSION,
        "'y' has no example of 'e', 'f' to train on\n…these out of validation, test and data.class",
    ),
    Case("names in a column", called("n", n=WORDS[:, None]), TRAINS, "0 is 'cat', 1 is 'dog'"),
    Case("a name twice", called([*"abca"]), SUBMISSION, "names have to differ, and not to be emp"),
    Case(
        "names that are numbers",
        called("n", n=TABLE),
        SUBMISSION,
        "'n' is (40, 3) float64, but has to be",
    ),
    Case(
        "pickled names", called("n", n=WORDS.astype(object)), SUBMISSION, "'n' is (4,) object, bu"
    ),
]
COUNTED = [
    Case(
        "a scalar as the labels", npz(y=np.array(1)), SUBMISSION, "'y' is a single value, and not"
    ),
    Case("a label too few", npz(y=LABELS[:39]), SUBMISSION, "40 examples to train, and 39 labels"),
    Case("no examples", npz(x=TABLE[:0], y=LABELS[:0]), SUBMISSION, "there are none"),
    Case("no columns", npz(x=TABLE[:, :0]), SUBMISSION, "'x' is (40, 0): there are none"),
    Case("pictures without pixels", npz(x=IMAGES[:, :0]), SUBMISSION, "'x' is (40, 0, 8): there a"),
    Case(
        "a test of one example",
        split("test", TABLE[:1], np.eye(4)[:1], y=np.eye(4)[LABELS]),
        TRAINS,
    ),
    Case("a validation and no test", split("validation"), TRAINS),
    Case(
        "half a validation", npz({"validation_inputs": "x"}), SUBMISSION, "is no data.validation_l"
    ),
    Case(
        "a test of text", split("test", TABLE[:6].astype(str)), SUBMISSION, "data.test_inputs: 'a'"
    ),
    Case(
        "a test of one value", split("test", np.array(1)), SUBMISSION, "data.test_inputs: 'a' is ()"
    ),
    Case(
        "a test of other columns",
        split("test", TABLE[:6, :2]),
        SUBMISSION,
        "data.test_inputs: 'a': an example is (2,), but (3,) to train",
    ),
    Case(
        "words as examples, gaps in the labels of two splits, and a group too few",
        split(
            "test", *(TABLE[:6].astype(str), LABELS[:6] / 2), x=TABLE.astype(str), y=marked(np.nan)
        ),
        SUBMISSION,
        "a.npz: 4 faults\n  data.inputs: 'x' holds text, not real numbers\n  data.test_inputs: 'a' "
        "holds text, not real numbers\n  data.labels: 'y': 4 of 40 labels are nan or infinite, of "
        "examples: 0, 1, 2 and 1 more\n  data.test_labels: 'b': 3 of 6 labels are no whole numbers",
    ),
    Case(
        "several names of arrays that are not there",
        npz({"inputs": "X", "labels": "Y", "groups": "patient"}),
        SUBMISSION,
        "3 faults\n  data.inputs: …has no array 'X'\n  data.labels: …'Y'\n  data.groups: ",
    ),
    Case(
        "groups, and splits of their own",
        npz(
            {"groups": "g", **{f"{it}_{key}": f"{it}_{key}" for it in APART for key in FEW}},
            **{f"{it}_{key}": FEW[key] for it in APART for key in FEW},
            g=LABELS,
        ),
        TRAINS,
        "data.groups has no effect: validation and test are arrays of their own",
    ),
    Case(
        "an axis of one before the examples",
        npz(x=TABLE[None]),
        SUBMISSION,
        "The first axis has to be the example: x[0].",
    ),
    Case(
        "groups that are the labels", npz({"groups": "y"}), SUBMISSION, "'y' is named for two diff"
    ),
    Case(
        "a test of other classes",
        split("test", labels=LABELS[:6] + 2),
        SUBMISSION,
        "no example of '4',",
    ),
    Case(
        "a test of words",
        split("test", labels=WORDS[LABELS[:6]]),
        SUBMISSION,
        "words in one split, an",
    ),
    Case(
        "groups without some values",
        grouped(changed(LABELS, np.nan, 3, 5)),
        SUBMISSION,
        "data.groups: 'g': 2 of 40 examples have no group: 3, 5",
    ),
    Case(
        "words as groups, some of them missing",
        grouped(np.array([*"abc", "nan"])[LABELS]),
        SUBMISSION,
        "data.groups: 'g': 10 of 40 examples have no group: 3, 7, 11 and 7 more",
    ),
    Case(
        "a group of two values", grouped(TABLE), SUBMISSION, "'g' is (40, 3), but has to be one val"
    ),
    Case(
        "one group", grouped(np.array(1)), SUBMISSION, "data.groups: 'g' is (), but has to be one "
    ),
    Case("groups as records", grouped(RECORDS), SUBMISSION, "data.groups: 'g' holds records"),
    Case("groups as bytes", grouped(np.arange(40).astype("S")), TRAINS),
]
TARGETS = [
    Case(
        "targets with gaps",
        regressed(changed(TABLE, np.nan, (3, 1), (5, 0))),
        SUBMISSION,
        "data.labels: 'y': 2 of 40 targets are nan or infinite, of examples: 3, 5",
    ),
    Case(
        "words as targets",
        regressed(WORDS[LABELS]),
        SUBMISSION,
        "'y' holds text, not real numbers\n…y.astype(float). To predict classes: data.task: classi",
    ),
    Case(
        "pictures as targets", regressed(IMAGES), SUBMISSION, "numbers to predict are (N,) or (N, t"
    ),
    Case(
        "targets beyond float32",
        regressed(TABLE * 1e300),
        SUBMISSION,
        "'y': 40 of 40 targets are too large for floats, of examples: 0, 1, 2 and 37 more",
    ),
]
INPUTS = [
    Case(
        "gaps in a table, and in its test",
        split("test", changed(TABLE[:6], np.inf, (2, 2)), x=changed(TABLE, np.nan, (7, 2), (9, 0))),
        NODE,
        "a.npz: 2 faults\n  data.inputs: 'x': table: nan in 2 of 40 examples: [7, 2], [9, 0]\n  "
        "data.test_inputs: 'a': table: infinite in 1 of 6 examples: [2, 2]\n…data.missing: mean.",
    ),
    Case(
        "gaps in pictures",
        npz(x=changed(IMAGES, np.nan, (7, 2))),
        NODE,
        "nan in 1 of 40 examples: 7",
    ),
    Case(
        "gaps in a table, that are asked for",
        npz({"missing": "mean"}, x=changed(TABLE, np.nan, (7, 2), (9, 0))),
        TRAINS,
        "gaps in the table count as the mean of their column in the training examples",
    ),
    Case(
        "a column of gaps alone",
        npz({"missing": "mean"}, x=changed(TABLE, np.nan, (slice(None), 1))),
        NODE,
        "data.inputs: 'x': all values are missing in columns: 1\nLeave these out: x = x[:, ~",
    ),
    Case(
        "gaps, and the same value everywhere else",
        npz({"missing": "mean"}, x=changed(np.ones((40, 3)), np.nan, (3, 1))),
        NODE,
        "every value is 1: there is nothing to learn from",
    ),
    Case(
        "gaps in sequences, that are asked for",
        npz({"missing": "mean", "kind": "sequence"}, x=changed(IMAGES, np.nan, (7, 2))),
        SUBMISSION,
        "data.missing: mean is for tables, and 'x' is of sequences",
    ),
    Case(
        "numbers beyond float16",
        npz(x=changed(TABLE, np.inf, 3).astype(np.float16)),
        NODE,
        "infinite in 1 of 40 examples: [3, 0]",
    ),
    Case("numbers of 128 bits", npz(x=TABLE.astype(np.longdouble)), TRAINS),
    Case(
        "integers beyond 2^53",
        npz(x=np.full((40, 3), 2**60) + LABELS[:, None]),
        NODE,
        "too large f",
    ),
    Case("Fortran's order", npz(x=np.asfortranarray(TABLE)), TRAINS),
    Case(
        "sequences of standardised numbers, read as grey images",
        npz(x=RNG.standard_normal((40, 9, 3))),
        SUBMISSION,
        "but floats have to lie in [0, 1]\nSequences (N, T, F): data.kind: sequence. Images: scale",
    ),
    Case(
        "pictures in [-1, 1]", npz(x=IMAGES * 2 - 1), SUBMISSION, "Images in [-1, 1]: (x + 1) / 2."
    ),
    Case(
        "pictures a little beyond 1, as interpolation has them",
        npz(x=changed(IMAGES.astype("f4"), np.float32(1.0000001), 3)),
        SUBMISSION,
        "to 1.0000001, but floats have to lie in [0, 1]\n…If images were resized or rounded: x.cl",
    ),
    Case("floats up to 255", npz(x=IMAGES * 255), SUBMISSION, "Images in [0, 255]: x / 255, or by"),
    Case(
        "pictures of which a late one is beyond 1",
        npz(x=changed(np.full((300, 32, 32), 0.5), 2, -1), y=np.arange(300) % 4),
        NODE,
        "image goes from 0.5 to 2, but floats have to lie in [0, 1]",
    ),
    Case(
        "pictures of true and false", npz(x=IMAGES > 0.5), TRAINS, "'x' is read as grey images of"
    ),
    Case("pickled examples", npz(x=TABLE.astype(object)), SUBMISSION, "holds Python objects"),
    Case("numbers as text", npz(x=TABLE.astype(str)), SUBMISSION, "as text: x.astype(float)"),
    Case("numbers as bytes", npz(x=TABLE.astype("S")), SUBMISSION, "'x' holds text, not real num"),
    Case(
        "complex numbers", npz(x=TABLE * 1j), SUBMISSION, "'x' holds complex numbers…stack([x.real"
    ),
    Case("dates", npz(x=TABLE.astype("M8[D]")), SUBMISSION, "'x' holds dates…timedelta64(1, 'D')."),
    Case("spans of time", npz(x=TABLE.astype("m8[D]")), SUBMISSION, "'x' holds spans of time"),
    Case("records", npz(x=RECORDS), SUBMISSION, "'x' holds records…structured_to_unstructured(x)"),
    Case("a constant", npz(x=np.ones((40, 3))), NODE, "every value is 1: there is nothing to"),
    Case(
        "one axis", npz(x=TABLE[:, 0]), SUBMISSION, "'x' is (40,), which is no kind of…x[:, None]."
    ),
    Case("rows as sequences", npz({"kind": "sequence"}), SUBMISSION, "no sequence\n…x[..., None]."),
    Case("pictures as rows", npz({"kind": "table"}, x=IMAGES), SUBMISSION, "x.reshape(len(x), -1)"),
    Case(
        "volumes", npz(x=RNG.random((40, 2, 3, 4, 5))), SUBMISSION, "Volumes and videos are not sup"
    ),
    Case(
        "pictures of 12 bits",
        npz(x=(IMAGES * 4095).astype(">u2")),
        SUBMISSION,
        "'x' is uint16, but images are bytes (uint8), or floats in [0, 1]\nSequences (N, T",
    ),
    Case(
        "pictures of int64",
        npz(x=RNG.integers(0, 256, (40, 8, 8, 3))),
        SUBMISSION,
        "'x' is int64, but images are",
    ),
    Case(
        "two channels, last",
        npz(x=RNG.random((40, 12, 12, 2))),
        SUBMISSION,
        "12 channels of 12 x 2",
    ),
    Case(
        "many channels, last", npz(x=RNG.random((40, 9, 9, 99))), SUBMISSION, "9 channels of 9 x 99"
    ),
    Case(
        "examples along the last axis",
        npz(x=RNG.random((8, 8, 40))),
        SUBMISSION,
        "8 examples to train, and 40 labels\n…moveaxis(x, 2, 0)",
    ),
    Case(
        "pictures of 0 and 1",
        npz(x=RNG.integers(0, 2, (40, 8, 8), np.uint8)),
        NODE,
        "brightest pixel of all images is 1,",
    ),
    Case("pictures divided by 255 twice", npz(x=IMAGES / 255), NODE, "but white is 1\nScale them"),
]
CASES = [*NUMBERED, *ROWS, *NAMED, *COUNTED, *TARGETS, *INPUTS]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
