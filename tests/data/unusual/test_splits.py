"""Classes as users have them: rare, alone in a group, nearly all of the data."""

import numpy as np
import pytest
from PIL import Image

from tests.support.unusual_data import Case, check

REFUSED, TRAINS = "submission", "trains"


def labels(*counts, groups=None, **options):
    """Return what writes as many rows of each class, `a`, `b` and so on, one after the other.

    `groups` are the numbers of rows that follow each other and belong together.
    """
    names = [
        letter for letter, count in zip("abcdefgh", counts, strict=False) for _ in range(count)
    ]
    return arrays(names, groups, **options)


def arrays(names, groups=None, apart=(), **options):
    """Return what writes rows with these classes; `apart` are those of a test of its own."""

    def make(folder):
        made = {"x": np.random.rand(len(names), 3), "y": np.array(names)}
        found = {"name": "npz", "path": str(folder / "a.npz"), **options}
        if groups is not None:
            made["who"] = np.repeat(np.arange(len(groups)), groups)
            found["groups"] = "who"
        if len(apart):
            made |= {"tx": np.random.rand(len(apart), 3), "ty": np.array(apart)}
            found |= {"test_inputs": "tx", "test_labels": "ty"}
        np.savez(folder / "a.npz", **made)
        return found

    return make


def bytes_in_latin_1(folder):
    """Write three groups, two of which differ in a letter that is not in UTF-8."""
    who = np.repeat(["Müller".encode("latin-1"), "Möller".encode("latin-1"), b"Maier"], 20)
    np.savez(folder / "a.npz", x=np.random.rand(60, 3), y=np.arange(60) % 2, who=who)
    return {"name": "npz", "path": str(folder / "a.npz"), "groups": "who"}


def pictures(groups=None, /, **counts):
    """Return what writes as many pictures into the folder of each class."""

    def make(folder):
        shades = iter(range(256))
        for name, count in counts.items():
            (folder / "p" / name).mkdir(parents=True)
            for number in range(count):
                image = Image.new("L", (4, 4), next(shades))
                image.save(folder / "p" / name / f"{number}.png")
        return {"name": "image_folder", "root": str(folder / "p"), "size": [4, 4], "groups": groups}

    return make


SMALL = [
    Case(
        "a class of one example",
        labels(50, 30, 1),
        TRAINS,
        "validation and test have no example of 'c' (1 in all)",
    ),
    Case("a class of ten", labels(90, 10), TRAINS),
    Case(
        "a class of two pictures",
        pictures(cat=30, dog=2),
        TRAINS,
        "validation and test have no example of 'dog' (2 in all)",
    ),
    Case(
        "two thirds are classes of one",
        arrays([*["a"] * 30, *map(str, range(28))]),
        TRAINS,
        "validation and test have no example of '0' (1 in all), '1' (1 in all)",
    ),
    Case(
        "so much is held out that a class is left with none",
        labels(20, 8, 7, 7, 6, 6, 6, validation=0.5, test=0.45),
        REFUSED,
        "of 60 examples, 30 for validation and 27 for test: that leaves 3 to train on, and each of "
        "7 classes needs one",
    ),
    Case(
        "more is held out than there is",
        labels(20, 20, validation=0.6, test=0.5),
        REFUSED,
        "24 for validation and 20 for test: none is left to train on",
    ),
    Case(
        "a class of one, and a draw that may take it",
        labels(9, 1, validation=0.4, test=0.4, split_seed=3, stratify=False),
        REFUSED,
        "there is no example of 'b' (1 in all) to train on, among the 2 of the training split",
    ),
    Case("five examples", labels(3, 2), TRAINS),
    Case(
        "two examples",
        labels(1, 1),
        TRAINS,
        "validation has no example: 0.1 of 2 is less than one",
    ),
    Case(
        "groups that are the classes",
        labels(20, 20, 20, groups=[20, 20, 20]),
        REFUSED,
        "there is no example of…make more and smaller groups",
    ),
]
FOLDS = [
    Case(
        "a fold that takes the only example of a class",
        labels(50, 1, folds=3, fold=2),
        REFUSED,
        "there is no example of 'b' (1 in all) to train on…data.fold",
    ),
    Case(
        "another fold of the same data",
        labels(50, 1, folds=3, fold=0),
        TRAINS,
        "validation and test have no example of 'b' (1 in all)",
    ),
    Case(
        "more folds than examples",
        labels(3, 3, folds=7, fold=0),
        REFUSED,
        "data.folds: 7 folds of 6 examples",
    ),
    Case(
        "folds, and a test of its own",
        arrays(["a", "b"] * 20, apart=["a", "b"], folds=3, fold=0),
        REFUSED,
        "data.folds: the data have a test split of their own",
    ),
]
GROUPS = [
    Case(
        "a class that is all in one group",
        labels(40, 10, groups=[5] * 8 + [10]),
        TRAINS,
        "validation and test have no example of 'b' (10 in all)",
    ),
    Case(
        "a fold that takes the only group of a class",
        labels(40, 10, groups=[5] * 8 + [10], folds=3, fold=0),
        REFUSED,
        "there is no example of 'b' (10 in all) to train on",
    ),
    Case(
        "two groups, one a class",
        labels(20, 20, groups=[20, 20]),
        REFUSED,
        "none is left to train on…there are 2, the largest of 20 examples. Each split needs one: "
        "make 3 groups or more",
    ),
    Case(
        "few large groups",
        labels(30, 30, groups=[10] * 6),
        TRAINS,
        "groups are never divided: the test split has 10 of 60 examples, and 10 of 30 of class 'a'",
    ),
    Case("each example a group of its own", labels(30, 30, groups=[1] * 60), TRAINS),
    Case(
        "groups in another encoding than UTF-8",
        bytes_in_latin_1,
        TRAINS,
        "the test split has 20 of 60 examples",
    ),
    Case(
        "a pattern of groups with two (...)",
        pictures(r"^(.)(.)", ab=9, ba=9, ca=9),
        REFUSED,
        "there is no example of",
    ),
    Case(
        "a pattern of groups with two (...), of which the first will do",
        pictures(r"/(.)\.(png)", cat=9, dog=9),
        TRAINS,
        "data.groups: the first (...) of '/(.)\\.(png)' alone names the group",
    ),
    Case(
        "more folds than groups",
        labels(30, 30, groups=[10] * 6, folds=7, fold=0),
        REFUSED,
        "data.folds: 7 folds of 6 groups",
    ),
]
SHARES = [
    Case(
        "nearly all of one class",
        labels(95, 5),
        TRAINS,
        "95.0% of the examples are of class 'a': an accuracy of 0.950 is reached by always "
        "predicting it",
    ),
    Case(
        "a test of its own that lacks a class",
        arrays(["a", "b", "c"] * 20, apart=["a", "b"] * 5),
        TRAINS,
        "test has no example of 'c' (20 in all)",
    ),
    Case(
        "examples sorted by class",
        labels(40, 40, 40),
        TRAINS,
    ),
    Case("the same, drawn regardless of the classes", labels(40, 40, 40, stratify=False), TRAINS),
]
CASES = [*SMALL, *FOLDS, *GROUPS, *SHARES]


@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)
