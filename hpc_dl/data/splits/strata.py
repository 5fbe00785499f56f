"""Division of each class in proportion, from the numbers of its examples alone. Light."""

from __future__ import annotations

from collections.abc import Sequence


def apportion(counts: Sequence[int], total: int) -> list[int]:
    """Return how many examples of each class to hold out, `total` together, by largest remainder.

    Of equal remainders the first class counts. A class keeps an example to train on: one that has
    no more gives none. The sum is below `total` only where no class can give more.
    """
    able = sum(count for count in counts if count > 1) or 1
    shares = [count * total if count > 1 else 0 for count in counts]
    quotas = [min(share // able, max(n - 1, 0)) for share, n in zip(shares, counts, strict=True)]
    order = sorted(range(len(counts)), key=lambda number: -(shares[number] % able))
    while missing := total - sum(quotas):
        giving = [number for number in order if quotas[number] < counts[number] - 1]
        if not giving:
            break
        for number in giving[:missing]:
            quotas[number] += 1
    return quotas


def deal(counts: Sequence[int], folds: int, fold: int) -> list[int]:
    """Return how many examples of each class a fold has, where all of them, sorted by class, are
    dealt to the folds in turn."""
    first, dealt = 0, []
    for count in counts:
        dealt.append(len(range(first + (fold - first) % folds, first + count, folds)))
        first += count
    return dealt
