"""One long text, as sequences of tokens.

The training, validation and test parts follow each other in the text, so that no held-out token
lies between trained ones.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hpc_dl.data import text_files, tokens
from hpc_dl.data.source import Loaded, Source
from hpc_dl.data.tokens import Tokenizer
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.data import UNKNOWN, DataFacts, Feature
from hpc_dl.jobspec.running_text import RunningText

if TYPE_CHECKING:
    from torch import Tensor

    from hpc_dl.data.dataset import Split

Options = TypeVar("Options", bound=RunningText)
_AT_ONCE = 2**22
"""Characters that are encoded at once, in many times the memory of their ids."""


class RunningTextSource(Source[Options]):
    """A text in three parts."""

    key = "data.path"
    """The option that names the file."""

    @abstractmethod
    def path(self) -> Path:
        """Return the file."""

    @cached_property
    def parts(self) -> dict[str, str]:
        """The text of each split. Raises UserError where one is too short."""
        path, options = self.path(), self.options
        text = text_files.read(self.key, path)
        if options.test + options.validation >= 1:
            raise UserError(
                f"data.validation {options.validation} and data.test {options.test} are the whole "
                "text: nothing is left to train on"
            )
        test, validation = (round(len(text) * it) for it in (options.test, options.validation))
        first, second = len(text) - test - validation, len(text) - test
        parts = {
            "train": text[:first],
            "validation": text[first:second],
            "test": text[second:],
        }
        _refuse_short({name: len(part) for name, part in parts.items()}, "characters", self._where)
        if len(set(parts["train"])) < 2:
            raise UserError(
                f"{self._where}: every character to train on is {text[0]!r}: there is nothing to "
                "learn"
            )
        return parts

    @cached_property
    def tokenizer(self) -> Tokenizer:
        options = self.options
        return tokens.fit(options.tokens, [*_pieces(self.parts["train"])], options.vocabulary)

    def describe(self) -> DataFacts:
        counts = {name: self._count(part) for name, part in self.parts.items()}
        _refuse_short(counts, "tokens", self._where)
        length = self.options.length
        train, validation, test = (math.ceil((count - 1) / length) for count in counts.values())
        kind = self.options.tokens
        feature = Feature(
            "int",
            (None,),
            self.tokenizer.tokens,
            longest=length,
            tokens="words" if kind == "lowercase_words" else kind,
        )
        return DataFacts(
            "text",
            "predict_next",
            inputs={"text": feature},
            targets={"next": feature},
            train=train,
            validation=validation,
            test=test,
            notes=(*self._note_unknown(), *_note_short(counts, self._unit, length)),
        )

    def load(self) -> Loaded:
        return self.describe(), {name: self._split(part) for name, part in self.parts.items()}

    def assets(self, facts: DataFacts) -> dict[str, str]:
        return {tokens.FILE: tokens.to_json(self.tokenizer)}

    @property
    def _where(self) -> str:
        return f"{self.key}: {self.path()}"

    @property
    def _unit(self) -> str:
        return "characters" if self.options.tokens == "characters" else "tokens"

    def _count(self, part: str) -> int:
        """Return the number of tokens of a part."""
        if self.options.tokens == "characters":
            return len(part)
        return sum(len(self.tokenizer.encode(it)) for it in _pieces(part))

    def _split(self, part: str) -> Split:
        """The examples of a part, `length` tokens each and those that follow them; the last is
        what is left."""
        import torch

        from hpc_dl.data.ragged import Ragged, RaggedSplit

        ids = self._ids(part)
        last = len(ids) - 1
        offsets = torch.tensor([*range(0, last, self.options.length), last])
        return RaggedSplit({"text": Ragged(ids[:-1], offsets), "next": Ragged(ids[1:], offsets)})

    def _ids(self, part: str) -> Tensor:
        import torch

        type_ = torch.uint8 if len(self.tokenizer.tokens) <= 256 else torch.int32
        encoded = (torch.from_numpy(self.tokenizer.encode(it)) for it in _pieces(part))
        return torch.cat([it.to(type_) for it in encoded])

    def _note_unknown(self) -> tuple[str, ...]:
        """Note for the plan the tokens that the training part does not have."""
        held_out = [self.parts["validation"], self.parts["test"]]
        if UNKNOWN not in self.tokenizer.tokens:
            return ()
        if self.options.tokens != "characters":
            ids = [self.tokenizer.encode(it) for part in held_out for it in _pieces(part)]
            unknown = sum(int((it == 0).sum()) for it in ids)
            return (_of_training(unknown, "tokens"),) if unknown else ()
        text, known = "".join(held_out), set(self.tokenizer.tokens)
        strange = sorted(set(text) - known)
        if not strange:
            return ()
        count = sum(map(text.count, strange))
        return (f"{_of_training(count, 'characters')}: {first_few(map(repr, strange), 8)}",)


def _of_training(count: int, unit: str) -> str:
    return (
        f"{count} {unit} of validation and test are none of the training part's, and read as "
        f"{UNKNOWN}"
    )


def _pieces(text: str) -> Iterator[str]:
    """Yield a text in parts that end with a line, or are AT_ONCE characters long."""
    first = 0
    while first < len(text):
        end = first + _AT_ONCE
        line = text.rfind("\n", first, end) + 1
        end = line if end < len(text) and line > first else end
        yield text[first:end]
        first = end


def _refuse_short(counts: dict[str, int], unit: str, where: str) -> None:
    """Raise UserError where a part is too short to predict anything in it."""
    if short := next((name for name, count in counts.items() if count < 2), None):
        raise UserError(
            f"{where} has {sum(counts.values())} {unit}, of which {short} gets {counts[short]}: it "
            "needs two"
        )


def _note_short(counts: dict[str, int], unit: str, length: int) -> tuple[str, ...]:
    """Note parts that are shorter than one example."""
    return tuple(
        f"the {name} part has {count} {unit}, fewer than the {length} of an example"
        for name, count in counts.items()
        if count <= length
    )
