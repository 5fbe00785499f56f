"""Tags in BIO (IOB2), by which words are marked as parts of entities: O, or B-TYPE and I-TYPE."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

OUTSIDE = "O"
"""The tag of a word that is in no entity."""
SPELLING = 24
"""Bytes of a word that a network sees beside its id; of longer words the first ones."""


@dataclass(frozen=True)
class Entity:
    """The words from `start` up to `end`, and the type of thing that they name."""

    start: int
    end: int
    type: str


def entities(tags: Sequence[str]) -> list[Entity]:
    """Return the entities that tags mark, as the CoNLL evaluation finds them: an I- after anything
    but a tag of its type begins one as well."""
    found, start = [], 0
    for place, tag in enumerate([*tags, OUTSIDE]):
        before = tags[place - 1] if place else OUTSIDE
        if not continues(before, tag):
            if before != OUTSIDE:
                found.append(Entity(start, place, before[2:]))
            start = place
    return found


def continues(before: str, tag: str) -> bool:
    """Return whether a tag goes on with the entity of the tag before it."""
    return tag.startswith("I-") and before != OUTSIDE and before[2:] == tag[2:]


def mark(found: Iterable[Entity], words: int) -> list[str]:
    """Return the tags of entities among so many words."""
    tags = [OUTSIDE] * words
    for it in found:
        tags[it.start : it.end] = [f"B-{it.type}"] + [f"I-{it.type}"] * (it.end - it.start - 1)
    return tags


def tags_of(types: Iterable[str]) -> tuple[str, ...]:
    """Return all tags for entities of these types."""
    return (OUTSIDE, *(f"{letter}-{it}" for it in sorted(set(types)) for letter in "BI"))


def mark_entities(tags: Iterable[str]) -> bool:
    """Return whether these are tags in BIO; others, such as parts of speech, mark no entities."""
    kinds = set(tags) - {OUTSIDE}
    return bool(kinds) and all(it[:2] in ("B-", "I-") for it in kinds)
