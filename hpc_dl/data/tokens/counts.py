"""Choice of the tokens that a vocabulary holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def most_frequent(texts: Iterable[Iterable[str]], size: int | None, least: int = 1) -> list[str]:
    """Return the `size` most frequent tokens of texts, all without a size; of equally frequent
    ones the first by name.

    Those that are there fewer than `least` times are left out, unless all are.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    chosen = [token for token, count in counts.items() if count >= least] or counts
    ordered = sorted(chosen, key=lambda token: (-counts[token], token))
    return ordered[:size]
