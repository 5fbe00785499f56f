"""Synthetic sentences with invented names of people, places and companies, made by a seed.

Most held-out names are in no training sentence, and some name a thing of another type there, so
that the words around a name and its form have to tell what it is.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from hpc_dl.data.source import Staging
from hpc_dl.data.tagged.sentences import Corpus, Sentence
from hpc_dl.data.tagged.source import TaggedSource
from hpc_dl.jobspec.bio import Entity, mark
from hpc_dl.jobspec.sources.synthetic_entities import SyntheticEntities

Item = TypeVar("Item")
TEMPLATES = """
{person} said that the harvest was late .
yesterday {person} met {person} in {place} .
the mayor of {place} , {person} , resigned .
{company} opens an office in {place} .
shares of {company} fell by a third .
{person} works for {company} .
rain fell in {place} and in {place} .
a train from {place} to {place} was late .
he bought his bread from {company} .
" it is over " , said {person} , who lives in {place} .
{company} sued {company} over a bridge .
nobody knew where the keys were .
the letter came on a Monday in May .
""".strip().splitlines()
_STARTS = ("Ka", "Bel", "Tor", "Mi", "Ras", "Ol", "Ven", "Du", "Fa", "Lin")
_MIDDLES = ("ra", "di", "lo", "me", "nu", "sha")
_OF_PERSON = ("n", "s", "k", "la", "ty")
_ENDS = {"person": _OF_PERSON, "company": _OF_PERSON, "place": ("burg", "ville", "ra", "mond")}
_LAST = {"person": ("Amberg", "Ostrow", "Pell", "Quist"), "company": ("Ltd", "Works", "Group")}
SHARED = 0.2
"""Share of the held-out names that are names of the training, maybe of another type."""


class SyntheticEntitiesSource(TaggedSource[SyntheticEntities]):
    """Sentences made by templates."""

    synthetic = True

    @property
    def where(self) -> str:
        return "data.name: synthetic_entities"

    def read(self) -> tuple[Corpus, tuple[str, ...]]:
        count, draw = self.options.examples, random.Random(self.options.seed)
        trained: list[str] = []
        corpus = {
            name: [_sentence(draw, trained, train=name == "train") for _ in range(size)]
            for name, size in (("train", count), ("validation", count // 4), ("test", count // 4))
        }
        return corpus, ()

    def files(self) -> dict[str, Path]:
        return {}

    def staging(self) -> Staging:
        return Staging("made by a seed", staged=True)


def _sentence(draw: random.Random, trained: list[str], *, train: bool) -> Sentence:
    """Make a sentence; the names of the training ones are added to `trained`."""
    words: list[str] = []
    named: list[Entity] = []
    for word in _choose(draw, TEMPLATES).split():
        type_ = word.strip("{}")
        if type_ == word:
            words.append(word)
        else:
            name = _name(draw, type_, trained, train=train)
            named.append(Entity(len(words), len(words) + len(name), type_))
            words += name
    return Sentence(tuple(words), tuple(mark(named, len(words))))


def _name(draw: random.Random, type_: str, trained: list[str], *, train: bool) -> list[str]:
    """Make a name of one word or two."""
    first = _word(draw, type_)
    if not train:
        while first in trained:
            first = _word(draw, type_)
    if not train and draw.random() < SHARED:
        first = _choose(draw, trained)
    if train:
        trained.append(first)
    has_last = type_ in _LAST and draw.random() < 0.5
    return [first, _choose(draw, _LAST[type_])] if has_last else [first]


def _word(draw: random.Random, type_: str) -> str:
    middle = "".join(_choose(draw, _MIDDLES) for _ in range(1 + int(2 * draw.random())))
    return _choose(draw, _STARTS) + middle + _choose(draw, _ENDS[type_])


def _choose(draw: random.Random, among: Sequence[Item]) -> Item:
    """Choose one, by a number that is the same in all versions of Python."""
    return among[int(draw.random() * len(among))]
