"""Base of sources of tagged sentences, which only have to read them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from hpc_dl.data.source import Loaded, Source
from hpc_dl.data.splits import holdout
from hpc_dl.data.splits.counts import SPLITS, Holdout, split_facts
from hpc_dl.data.tagged import schemes
from hpc_dl.data.tagged.dictionary import Dictionary
from hpc_dl.data.tagged.encoding import FILE, WordEncoder
from hpc_dl.data.tagged.sentences import Corpus, Sentence
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec import bio
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.tagged import Tagged

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Split

Options = TypeVar("Options", bound=Tagged)


class TaggedSource(Source[Options]):
    """Sentences whose words have tags.

    A batch has `text`, (B, T, 1 + SPELLING) int64, the id and the bytes of each word; `tags`, (B,
    T) int64; and in held-out splits the tags of a `dictionary` of the training entities, as a
    baseline.
    """

    synthetic = False

    @abstractmethod
    def read(self) -> tuple[Corpus, tuple[str, ...]]:
        """Return the sentences of each split that there is, as they are, and notes."""

    @property
    @abstractmethod
    def where(self) -> str:
        """The option that names the sentences, and their files, for messages."""

    def describe(self) -> DataFacts:
        return self._facts

    def load(self) -> Loaded:
        encoder = WordEncoder.of(self._facts.inputs)
        tags = self._facts.targets["tags"].vocabulary
        train = self._corpus["train"]
        baseline = Dictionary(train) if bio.mark_entities(tags) and not self.fitted else None
        return self._facts, {
            name: _split(it, encoder, tags, None if name == "train" else baseline)
            for name, it in self._corpus.items()
        }

    def assets(self, facts: DataFacts) -> dict[str, str]:
        return {FILE: WordEncoder.of(facts.inputs).to_json()}

    @cached_property
    def _read(self) -> tuple[dict[str, list[Sentence]], tuple[str, ...], tuple[str, ...]]:
        """All splits, the notes, and which splits were drawn."""
        raw, notes = self.read()
        found = schemes.to_bio(raw, self.where)
        tags = {tag for it in found.corpus["train"] for tag in it.tags}
        if len(tags) == 1:
            raise UserError(
                f"{self.where}: every word to train on has the tag {min(tags)}: there is nothing "
                "to learn",
                hint="Is data.column the column of the tags?",
            )
        corpus = {name: list(it) for name, it in found.corpus.items()}
        missing = [name for name in SPLITS[1:] if name not in corpus]
        every = corpus["train"]
        self._sizes = split_facts(corpus, (), Holdout.of(self.options))
        for name, chosen in holdout.positions(
            len(every), missing, Holdout.of(self.options)
        ).items():
            corpus[name] = [every[place] for place in chosen.tolist()]
        return corpus, (*notes, *found.notes), tuple(missing)

    @cached_property
    def _corpus(self) -> dict[str, list[Sentence]]:
        """The sentences of all splits, in pieces that are short enough."""
        longest = self.options.longest
        return {
            name: [piece for it in self._read[0][name] for piece in it.pieces(longest)]
            for name in SPLITS
        }

    @cached_property
    def _facts(self) -> DataFacts:
        corpus, notes, drawn = self._read
        pieces = self._corpus
        longest = max(len(it) for of in pieces.values() for it in of)
        if self.fitted:
            known = self.fitted.facts
            encoder = WordEncoder.of(known.inputs)
            tags: Sequence[str] = known.targets["tags"].vocabulary
            _refuse_untrained(corpus, SPLITS, tags, self.where)
        else:
            encoder = WordEncoder.fit(corpus["train"], self.options.vocabulary)
            tags = _tags(corpus["train"])
            _refuse_untrained(corpus, SPLITS[1:], tags, self.where)
        return DataFacts(
            "text",
            "tag",
            inputs={"text": encoder.feature(longest)},
            targets={"tags": Feature("int", (None,), tuple(tags), longest=longest)},
            train=len(pieces["train"]),
            validation=len(pieces["validation"]),
            test=len(pieces["test"]),
            drawn=drawn,
            synthetic=self.synthetic,
            notes=(*notes, *_notes(corpus, encoder, self.options.longest)),
        )


def _tags(training: Sequence[Sentence]) -> Sequence[str]:
    """Return the tags of a training split, with both B- and I- of each type."""
    found = {tag for it in training for tag in it.tags}
    if bio.mark_entities(found):
        return bio.tags_of(it.type for of in training for it in bio.entities(of.tags))
    return sorted(found)


def _refuse_untrained(
    corpus: Corpus, splits: Sequence[str], tags: Sequence[str], where: str
) -> None:
    """Raise UserError for a tag in one of the splits that no training sentence has."""
    for name in splits:
        places: dict[str, str] = {}
        for it in corpus[name]:
            for tag, line in zip(it.tags, it.lines or [0] * len(it), strict=True):
                if tag not in tags:
                    places.setdefault(tag, f"'{tag}' (line {line})")
        if places:
            raise UserError(
                f"{where}: {name} has tags that no training sentence has: "
                f"{first_few(places.values(), 4)}",
                hint="Put such sentences into the training, or leave these out.",
            )


def _split(
    sentences: Sequence[Sentence],
    encoder: WordEncoder,
    tags: Sequence[str],
    baseline: Dictionary | None,
) -> Split:
    import numpy as np
    import torch

    from hpc_dl.data.ragged import Ragged, RaggedSplit

    ids = {tag: number for number, tag in enumerate(tags)}
    offsets = torch.tensor([0, *map(len, sentences)]).cumsum(0)
    words = [word for it in sentences for word in it.words]
    values = {
        "text": torch.from_numpy(encoder.encode(words)),
        "tags": torch.from_numpy(np.array([ids[t] for it in sentences for t in it.tags], np.int16)),
    }
    if baseline is not None:
        found = [ids[tag] for it in sentences for tag in baseline.tag(it.words)]
        values["dictionary"] = torch.from_numpy(np.array(found, np.int16))
    return RaggedSplit({name: Ragged(it, offsets) for name, it in values.items()})


def _notes(corpus: Corpus, encoder: WordEncoder, longest: int) -> tuple[str, ...]:
    every = [it for of in corpus.values() for it in of]
    known, trained = set(encoder.words), {it.words for it in corpus["train"]}
    held_out = [word for name in SPLITS[1:] for it in corpus[name] for word in it.words]
    unknown = sum(word.lower() not in known for word in held_out)
    notes = []
    if unknown:
        notes.append(
            f"{unknown} of {len(held_out)} words of validation and test occur less than twice in "
            f"the training, and are known by their first {bio.SPELLING} bytes alone"
        )
    if cut := sum(len(it) > longest for it in every):
        notes.append(f"{_are(cut, 'sentence')} of more than {longest} words, and cut into several")
    shared = sum(it.words in trained for name in SPLITS[1:] for it in corpus[name])
    if shared:
        notes.append(f"{_are(shared, 'sentence')} of validation and test also in the training")
    return tuple(notes)


def _are(count: int, what: str) -> str:
    return f"{count} {what} is" if count == 1 else f"{count} {what}s are"
