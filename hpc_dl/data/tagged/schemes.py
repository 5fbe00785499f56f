"""Schemes by which tags mark entities, all of which are read as BIO (IOB2: Tjong Kim Sang and
Veenstra, EACL 1999). Light.

IOB1 has a B- only between entities of the same type that touch; IO has none at all. BIOES, BILOU
and BMES mark the last word of an entity and an entity of one word as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from hpc_dl.data.tagged.sentences import Corpus, Sentence
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.bio import OUTSIDE, continues

_MARK = re.compile(r"([BIESLUM])(?:[-_](.+))?")
_IN_LOWER_CASE = re.compile(r"[bi][-_].+")
_AS_BIO = {"B": "B", "I": "I", "E": "I", "L": "I", "M": "I", "S": "B", "U": "B"}
UNTYPED = "entity"
"""The type of entities whose tags are a bare B and I."""


@dataclass(frozen=True)
class Read:
    """Sentences with tags in BIO, or with those of the file where they mark no entities."""

    corpus: Corpus
    notes: tuple[str, ...]


def to_bio(corpus: Corpus, where: str) -> Read:
    """Return the sentences of all splits with tags in BIO, and notes on what was changed.

    Raises UserError for tags of which some mark entities and some are anything else; `where` names
    the files.
    """
    kinds = {tag for sentence in _all(corpus) for tag in sentence.tags}
    others = {it for it in kinds if it != OUTSIDE and not _MARK.fullmatch(it)}
    marks = kinds - others - {OUTSIDE}
    if not marks and (small := {it for it in others if _IN_LOWER_CASE.fullmatch(it)}):
        raise UserError(
            f"{where}: tags in lower case mark no entities: "
            f"{first_few(_with_lines(corpus, small), 4)}",
            hint="Tags are O, or B-TYPE and I-TYPE.",
        )
    if not marks or not _are_entities(marks, kinds):
        note = "the tags mark no entities (B- and I-), so that accuracy counts, and no F1"
        return Read(corpus, (note,) if OUTSIDE in kinds or marks else ())
    if others:
        raise UserError(
            f"{where}: some tags mark entities, like {min(marks)}, and some do not: "
            f"{first_few(_with_lines(corpus, others), 4)}",
            hint="Tags are O, or B-TYPE and I-TYPE (or those of BIOES, BILOU and BMES).",
        )
    return _converted(corpus, {_MARK.fullmatch(it)[1] for it in marks})  # type: ignore[index]


def _are_entities(marks: set[str], kinds: set[str]) -> bool:
    """Return whether such tags mark entities: with types, or as a bare B and I beside an O."""
    return any(len(it) > 1 for it in marks) or (OUTSIDE in kinds and marks <= set(_AS_BIO))


def _with_lines(corpus: Corpus, kinds: set[str]) -> Iterable[str]:
    """Return tags with the split and the line of their first word."""
    seen: dict[str, str] = {}
    for name, sentences in corpus.items():
        for sentence in sentences:
            for line, tag in zip(sentence.lines, sentence.tags, strict=True):
                if tag in kinds:
                    seen.setdefault(tag, f"{tag!r} ({name}, line {line})")
    return seen.values()


def _converted(corpus: Corpus, letters: set[str]) -> Read:
    renamed = {
        name: [replace(it, tags=tuple(map(_rename, it.tags))) for it in sentences]
        for name, sentences in corpus.items()
    }
    is_iob1 = _is_iob1(renamed) and letters <= {"B", "I"}
    repaired: list[str] = []
    found = {
        name: [_begun(it, name, repaired) for it in sentences]
        for name, sentences in renamed.items()
    }
    notes = []
    if letters - {"B", "I"}:
        notes.append(f"the tags are those of {_scheme(letters)}, and are read as BIO")
    if is_iob1:
        scheme = "IOB1, with a B- only between" if "B" in letters else "IO, without a B- between"
        notes.append(f"the tags are in {scheme} entities that touch, and are read as BIO")
    elif repaired:
        one = len(repaired) == 1
        notes.append(
            f"{len(repaired)} {'tag is' if one else 'tags are'} an I- without a tag of the same "
            f"type before {'it, and is' if one else 'them, and are'} read as B-: "
            f"{first_few(repaired, 4)}"
        )
    return Read(found, tuple(notes))


def _rename(tag: str) -> str:
    if tag == OUTSIDE or not (match := _MARK.fullmatch(tag)):
        return tag
    letter, type_ = match.groups()
    return f"{_AS_BIO[letter]}-{type_ or UNTYPED}"


def _scheme(letters: set[str]) -> str:
    if letters & {"L", "U"}:
        return "BILOU"
    return "BMES" if "M" in letters else "BIOES"


def _is_iob1(corpus: Corpus) -> bool:
    """Return whether each B- follows a tag of its type, and entities begin with an I-."""
    begins = False
    for sentence in _all(corpus):
        for before, tag in zip((OUTSIDE, *sentence.tags), sentence.tags, strict=False):
            touches = before != OUTSIDE and before[2:] == tag[2:]
            if tag.startswith("B-") and not touches:
                return False
            begins |= tag.startswith("I-") and not touches
    return begins


def _begun(sentence: Sentence, split: str, repaired: list[str]) -> Sentence:
    """Return a sentence in which a B- begins each entity; add the places that were changed."""
    tags = list(sentence.tags)
    for place, tag in enumerate(tags):
        if tag.startswith("I-") and not continues(tags[place - 1] if place else OUTSIDE, tag):
            tags[place] = f"B-{tag[2:]}"
            repaired.append(f"{split}, line {sentence.lines[place]}")
    return replace(sentence, tags=tuple(tags))


def _all(corpus: Corpus) -> Iterable[Sentence]:
    return (sentence for sentences in corpus.values() for sentence in sentences)
