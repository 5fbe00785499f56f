"""Sentences with a tag for each word. Light."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Sentence:
    """Words and their tags."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    lines: tuple[int, ...] = ()
    """Where each word stands in its file, from 1."""

    def __len__(self) -> int:
        return len(self.words)

    def pieces(self, longest: int) -> Iterator[Sentence]:
        """Yield the sentence in pieces of so many words at most."""
        for first in range(0, len(self), longest):
            part = slice(first, first + longest)
            yield replace(
                self, words=self.words[part], tags=self.tags[part], lines=self.lines[part]
            )


Corpus = Mapping[str, Sequence[Sentence]]
"""The sentences of each split."""
