"""A metric of strings sees those of all ranks, whatever each of them has."""

from hpc_dl.train.evaluate import EvaluationMetrics
from hpc_dl.zoo.contract import OfExamples
from tests.support import ranks

GUESSES = ["a cat", "", "ein Hündchen", "über", "x"]
TRUTHS = ["a cat", "y", "ein Hund", "über", "x"]


def right(guesses, truths):
    """The share of strings that are right, to which all have to be known."""
    assert sorted(zip(guesses, truths, strict=True)) == sorted(zip(GUESSES, TRUTHS, strict=True))
    return sum(map(str.__eq__, guesses, truths)) / len(truths)


def measured(world, *shares):
    """What all ranks find, of which each has a share of the strings, in batches of two."""
    found, (start, end) = EvaluationMetrics(world), shares[world.rank]
    for first in range(start, end, 2):
        chosen = slice(first, min(first + 2, end))
        found.update({"right": OfExamples(right, (GUESSES[chosen], TRUTHS[chosen]))})
    if start == end:
        found.update_empty({"right": OfExamples(right, (GUESSES[:1], TRUTHS[:1]))})
    return found.compute()


def test_strings_are_gathered_over_ranks(tmp_path):
    assert ranks.call_on_all(measured, 2, tmp_path, (0, 3), (3, 5)) == {"right": 0.6}


def test_a_rank_without_any_takes_part(tmp_path):
    assert ranks.call_on_all(measured, 2, tmp_path, (0, 5), (5, 5)) == {"right": 0.6}
