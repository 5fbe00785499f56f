"""Choice of the tokens that a vocabulary holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def most_frequent(texts: Iterable[Iterable[str]], size: int | None) -> list[str]:
    """Return the `size` most frequent tokens of texts, all without a size; of equally frequent
    ones the first by name."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    ordered = sorted(counts, key=lambda token: (-counts[token], token))
    return ordered[:size]
