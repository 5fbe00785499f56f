"""Sources of texts with a class each, whatever the form of their files. Light."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from hpc_dl.data import tokens
from hpc_dl.data.names import Names
from hpc_dl.data.source import Loaded, Source
from hpc_dl.data.splits.counts import Holdout
from hpc_dl.data.texts import notes
from hpc_dl.data.texts.labelled import Divided, LabelledTexts
from hpc_dl.data.tokens import Tokenizer, examples
from hpc_dl.jobspec.data import RaggedData
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.texts import ClassifiedTexts

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Split

Options = TypeVar("Options", bound=RaggedData)
OfWords = TypeVar("OfWords", bound=ClassifiedTexts)


class LabelledTextSource(Source[Options]):
    """Texts with a class each, as token ids."""

    synthetic = False
    """True if the texts are made by a generator."""

    @abstractmethod
    def read(self) -> LabelledTexts:
        """Read all texts. Raises UserError with the file and the line of what is wrong."""

    @abstractmethod
    def fit(self, training: Iterable[str]) -> Tokenizer:
        """Return the tokenizer of the training texts."""

    @property
    @abstractmethod
    def most(self) -> int:
        """Tokens of a text, as the options say."""

    @property
    def longest(self) -> int:
        """Tokens of a text, of which longer ones lose their end."""
        known = self.fitted.facts.inputs.get("text") if self.fitted else None
        return min(self.most, known.longest) if known else self.most

    @cached_property
    def divided(self) -> Divided:
        return Divided(self.read(), Holdout.of(self.options))

    @cached_property
    def tokenizer(self) -> Tokenizer:
        if self.fitted:
            return tokens.load(self.fitted.assets / tokens.FILE)
        return self.fit(self.divided.texts("train"))

    @cached_property
    def facts(self) -> DataFacts:
        """What `describe` returns."""
        found = notes.count(self.divided, self.tokenizer, self.longest)
        longest = min(self.longest, max(it.longest for it in found.values()))
        texts, count = (sum(getattr(it, of) for it in found.values()) for of in ("texts", "tokens"))
        return DataFacts(
            "text",
            "classify",
            inputs={
                "text": Feature(
                    "int",
                    (None,),
                    self.tokenizer.tokens,
                    longest=longest,
                    tokens=self.tokenizer.kind,
                )
            },
            targets={"label": Feature("int", (), self.divided.given.classes)},
            synthetic=self.synthetic,
            example_bytes=4 * count // texts,
            notes=(*self.divided.given.notes, *notes.note(found, self.tokenizer, self.longest)),
            **self.divided.facts,
        )

    def describe(self) -> DataFacts:
        return self.facts

    def load(self) -> Loaded:
        import torch

        from hpc_dl.data.ragged import RaggedSplit

        given, splits = self.divided.given, {}
        for name, texts in given.texts.items():
            ids, _ = examples.truncate(self.tokenizer.encode_each(texts), self.longest)
            tensors = {"label": torch.tensor(given.labels[name])}
            if name == "train" and given.groups is not None:
                tensors["group"] = torch.from_numpy(given.groups)
            splits[name] = RaggedSplit({"text": examples.ragged(ids, self.tokenizer)}, tensors)
        return self.facts, splits

    def names(self, splits: Mapping[str, Split]) -> Names:
        return self.divided.given.names

    def assets(self, facts: DataFacts) -> dict[str, str]:
        return {tokens.FILE: tokens.to_json(self.tokenizer)}


class WordSource(LabelledTextSource[OfWords]):
    """Texts of words, whose tokens and longest are options."""

    def fit(self, training: Iterable[str]) -> Tokenizer:
        return tokens.fit(self.options.tokens, training, self.options.vocabulary)

    @property
    def most(self) -> int:
        return self.options.longest
