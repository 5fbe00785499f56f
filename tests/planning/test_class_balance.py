"""What the plan says of the classes: missing in a split, far from their share, nearly alone."""

from hpc_dl.data.splits.counts import Holdout
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.planning.class_balance import notes


def said(train, validation, test, holdout=None, learns=True, **more):
    sizes = (sum(train), sum(validation), sum(test))
    counts = {"train": train, "validation": validation, "test": test}
    classes = tuple("abc"[: len(train)])
    facts = DataFacts.of("table", "classify", (2,), classes, *sizes, class_counts=counts, **more)
    return list(notes(holdout or Holdout(), facts, learns))


def test_what_is_as_asked_for_is_not_noted():
    assert said((80, 80, 16), (10, 10, 2), (10, 10, 2)) == []


def test_classes_without_an_example_are_named_with_their_number():
    assert said((9, 2, 8), (1, 0, 1), (1, 0, 0)) == [
        "validation has no example of 'b' (2 in all)",
        "test has no example of 'b' (2 in all), 'c' (9 in all)",
    ]
    assert said((9, 2), (0, 0), (0, 0)) == [], "an empty split"
    assert said((9, 2), (1, 0), (1, 0)) == ["validation and test have no example of 'b' (2 in all)"]


def test_classes_that_are_left_out_of_the_training_are_expected_in_the_test_alone():
    assert said((9, 0), (2, 0), (2, 5), include_classes=("a",)) == []


def test_the_accuracy_of_the_most_frequent_class_is_noted_where_classes_are_learnt():
    (note,) = said((95, 3), (10, 1), (10, 1))
    assert note.startswith("95.8% of the examples are of class 'a': an accuracy of 0.958")
    assert said((95, 3), (10, 1), (10, 1), learns=False) == []


def test_how_far_groups_are_from_the_shares_is_noted():
    (note,) = said((30, 22), (4, 4), (6, 14), groups=9, drawn=("validation", "test"))
    assert note == (
        "groups are never divided: the test split has 20 of 80 examples, and 14 of 40 of class "
        "'b'; 10% of each was asked for"
    )
    folds = Holdout(folds=4)
    assert said((26, 26), (4, 4), (10, 10), folds, groups=9, drawn=("validation", "test")) == []
    given = {"groups": 9, "drawn": ("validation",)}
    assert said((36, 36), (4, 4), (6, 14), **given) == []
