"""Dictionary of the training entities: the baseline that a tagger has to be better than. Light."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from hpc_dl.data.tagged.sentences import Sentence
from hpc_dl.jobspec.bio import Entity, entities, mark

Phrase = tuple[str, ...]


class Dictionary:
    """The phrases that are entities of the training, in any case, and their most frequent type."""

    def __init__(self, training: Iterable[Sentence]) -> None:
        counts: dict[Phrase, Counter[str]] = defaultdict(Counter)
        for sentence in training:
            for it in entities(sentence.tags):
                counts[_folded(sentence.words[it.start : it.end])][it.type] += 1
        self.types = {it: min(of.items(), key=_most_frequent)[0] for it, of in counts.items()}
        self.longest = max(map(len, self.types), default=0)

    def tag(self, words: Sequence[str]) -> list[str]:
        """Return tags in BIO: of the longest phrases that are found, from the left."""
        folded, found, place = _folded(words), [], 0
        while place < len(folded):
            ends = range(min(len(folded), place + self.longest), place, -1)
            end = next((it for it in ends if folded[place:it] in self.types), None)
            if end is not None:
                found.append(Entity(place, end, self.types[folded[place:end]]))
            place = end or place + 1
        return mark(found, len(folded))


def _folded(words: Sequence[str]) -> Phrase:
    return tuple(word.casefold() for word in words)


def _most_frequent(of: tuple[str, int]) -> tuple[int, str]:
    return -of[1], of[0]
