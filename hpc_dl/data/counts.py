"""How many examples go into which split: what the plan says is what the training gets."""

from __future__ import annotations


def share(examples: int, fraction: float) -> int:
    """A fraction of the examples, as a whole number."""
    return round(examples * fraction)


def three_ways(examples: int, validation: float, test: float) -> tuple[int, int, int]:
    """Train, validation and test of a source without a split of its own.

    Both fractions are of all examples.
    """
    held_out = share(examples, validation), share(examples, test)
    return examples - sum(held_out), *held_out


def two_ways(examples: int, validation: float) -> tuple[int, int]:
    """Train and validation of a source that has a test split of its own."""
    return examples - share(examples, validation), share(examples, validation)
