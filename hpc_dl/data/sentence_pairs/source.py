"""Sources of sentences and their translations, as token ids."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Generic

import numpy as np

from hpc_dl.data import tokens
from hpc_dl.data.sentence_pairs.files import Pairs
from hpc_dl.data.source import Loaded, Options, Source
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.data.tokens import Tokenizer
from hpc_dl.data.tokens.examples import note_truncated, ragged, truncate
from hpc_dl.data.tokens.tokenizer import Ids
from hpc_dl.errors import UserError
from hpc_dl.installed import require
from hpc_dl.jobspec.facts import BEGIN, END, UNKNOWN, DataFacts, Feature
from hpc_dl.jobspec.tokens import Kind

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Split

TARGET_FILE = "target_vocabulary.json"
"""The name of the file of the tokenizer of translations; that of texts has the usual one."""
SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"
"""How sacrebleu counts BLEU by default."""


@dataclass(frozen=True)
class Encoded:
    """The tokens of a split's pairs."""

    sources: list[Ids]
    targets: list[Ids]
    """With END at the end."""
    truncated: int
    """How many sentences have lost their end."""


class PairSource(Source[Options], Generic[Options]):
    """Pairs of sentences; a subclass reads them."""

    synthetic = False

    @abstractmethod
    def pairs(self) -> Mapping[str, Pairs]:
        """Read the pairs of each split that the source has."""

    @property
    @abstractmethod
    def kinds(self) -> tuple[Kind, Kind]:
        """What the sentences and their translations are divided into."""

    def describe(self) -> DataFacts:
        return self._read()[0]

    def load(self) -> Loaded:
        from hpc_dl.data.dataset import divide

        facts, pairs, encoded = self._read()
        given = {name: _split(it, pairs[name], *self._fitted) for name, it in encoded.items()}
        splits = divide(given, facts, Holdout.of(self.options))
        held_out = {"validation": splits.validation, "test": splits.test}
        train = splits.train if self.fitted else _without_references(splits.train)
        return facts, {"train": train, **held_out}

    def assets(self, facts: DataFacts) -> dict[str, str]:
        texts = map(tokens.to_json, self._fitted)
        return dict(zip((tokens.FILE, TARGET_FILE), texts, strict=True))

    def _read(self) -> tuple[DataFacts, Mapping[str, Pairs], dict[str, Encoded]]:
        pairs = self.pairs()
        _check(pairs["train"])
        self._fitted = self._fit(pairs["train"])
        longest = getattr(self.options, "longest", None)
        encoded = {name: _encode(it, *self._fitted, longest) for name, it in pairs.items()}
        return self._facts(pairs, encoded, longest), pairs, encoded

    def _fit(self, train: Pairs) -> tuple[Tokenizer, Tokenizer]:
        """Fit a tokenizer for each language; the second has the ends of a sentence, too."""
        if self.fitted:
            folder = self.fitted.assets
            return tokens.load(folder / tokens.FILE), tokens.load(folder / TARGET_FILE)
        size, (read, written) = getattr(self.options, "vocabulary", None), self.kinds
        target = tokens.fit(written, train.targets, size, (BEGIN, END))  # which takes more room
        return tokens.fit(read, train.sources, size), target

    def _facts(
        self, pairs: Mapping[str, Pairs], encoded: Mapping[str, Encoded], longest: int | None
    ) -> DataFacts:
        sides = zip(self._fitted, self.kinds, ("sources", "targets"), strict=True)
        text, translation = (
            Feature(
                "int",
                (None,),
                fitted.tokens,
                longest=max(len(ids) for it in encoded.values() for ids in getattr(it, side)),
                tokens=kind,
            )
            for fitted, kind, side in sides
        )
        truncated = sum(it.truncated for it in encoded.values())
        return DataFacts(
            "text",
            "translate",
            {"text": text},
            {"translation": translation},
            **split_facts(pairs, (), Holdout.of(self.options)),
            synthetic=self.synthetic,
            notes=(
                *note_truncated(truncated, 2 * sum(map(len, pairs.values())), longest),
                *_note_unknown(encoded, self._fitted),
                *_note_known(pairs),
                *_note_bleu(),
            ),
        )


def _check(train: Pairs) -> None:
    """Raise UserError where the training pairs are too few, or no translations."""
    if len(train) < 2:
        raise UserError(f"data.path: there is one pair to train on: {train.sources[0]!r}")
    if train.sources == train.targets:
        raise UserError(
            "data.path: every translation is the sentence itself",
            hint="Do data.source and data.target name two languages?",
        )


def _encode(pairs: Pairs, read: Tokenizer, written: Tokenizer, longest: int | None) -> Encoded:
    sources, lost = truncate(read.encode_each(pairs.sources), longest)
    targets, more = truncate(written.encode_each(pairs.targets), longest)
    end = np.array([written.tokens.index(END)])
    return Encoded(sources, [np.concatenate([it, end]) for it in targets], lost + more)


def _split(encoded: Encoded, pairs: Pairs, read: Tokenizer, written: Tokenizer) -> Split:
    """Return the tokens of a split, and the `reference` of each pair: the bytes of its translation
    as it stands in the file, of which tokens may have lost something."""
    import torch

    from hpc_dl.data.ragged import Ragged, RaggedSplit

    raw = [it.encode() for it in pairs.targets]
    offsets = torch.tensor([0, *map(len, raw)]).cumsum(0)
    reference = Ragged(torch.frombuffer(bytearray(b"".join(raw)), dtype=torch.uint8), offsets)
    return RaggedSplit(
        {
            "text": ragged(encoded.sources, read),
            "translation": ragged(encoded.targets, written),
            "reference": reference,
        }
    )


def _without_references(split: Any) -> Split:
    """Return the training split without what is there to be compared with translations."""
    from hpc_dl.data.ragged import RaggedSplit

    kept = {name: it for name, it in split.ragged.items() if name != "reference"}
    return RaggedSplit(kept, split.tensors, split.index)


def _note_unknown(
    encoded: Mapping[str, Encoded], fitted: tuple[Tokenizer, Tokenizer]
) -> tuple[str, ...]:
    """Note how many tokens of each language the vocabulary does not have."""
    notes = []
    for tokenizer, side in zip(fitted, ("sources", "targets"), strict=True):
        ids = np.concatenate([ids for it in encoded.values() for ids in getattr(it, side)])
        if UNKNOWN in tokenizer.tokens and (count := int((ids == 0).sum())):
            notes.append(
                f"{count} of {len(ids)} tokens of the {side} are none of the "
                f"{len(tokenizer.tokens)} of the vocabulary, and read as {UNKNOWN}"
            )
    return tuple(notes)


def _note_known(pairs: Mapping[str, Pairs]) -> tuple[str, ...]:
    """Note held-out sentences that are trained on."""
    known = set(pairs["train"].sources)
    counts = {
        name: sum(it in known for it in pair.sources)
        for name, pair in pairs.items()
        if name != "train"
    }
    return tuple(
        f"{count} of the {len(pairs[name])} sentences of {name} are in the training as well"
        for name, count in counts.items()
        if count
    )


def _note_bleu() -> tuple[str, ...]:
    try:
        return (f"BLEU is sacrebleu's: {SIGNATURE}|version:{version('sacrebleu')}",)
    except PackageNotFoundError:
        return ("BLEU is not measured without sacrebleu: pip install 'hpcdl[text]'",)


def require_bleu() -> None:
    """Raise UserError where sacrebleu is not installed."""
    require("sacrebleu", "text", "BLEU, by which translations are measured,")
