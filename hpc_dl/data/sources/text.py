"""A text of the user's, or the opening of a play of Shakespeare's, as sequences of characters.

The training, validation and test parts follow each other in the text, so that no held-out character
lies between trained ones. The play is Coriolanus (about 1608), act 1, to the beginning of scene 4.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.data import text_files
from hpc_dl.data.source import Loaded, Source, Staging
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.data import DataFacts, Feature
from hpc_dl.jobspec.sources.text import Text

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Split
    from hpc_dl.data.tokens import Tokenizer

_AT_ONCE = 2**22
"""Characters that are encoded at once, in many times the memory of their ids."""
CORIOLANUS = Path(__file__).parent.parent / "coriolanus.txt"


class TextSource(Source[Text]):
    """A text in three parts."""

    def describe(self) -> DataFacts:
        return self._facts(self._parts())

    def load(self) -> Loaded:
        parts = self._parts()
        vocabulary = _vocabulary(parts)
        return self._facts(parts), {
            name: self._split(part, vocabulary) for name, part in parts.items()
        }

    def assets(self, facts: DataFacts) -> dict[str, str]:
        from hpc_dl.data import tokens
        from hpc_dl.data.tokens.characters import Characters

        vocabulary = facts.inputs["text"].vocabulary
        return {tokens.FILE: tokens.to_json(Characters(vocabulary))}

    def files(self) -> dict[str, Path]:
        return super().files() or {"coriolanus": CORIOLANUS}

    def staging(self) -> Staging:
        return Staging("data.path of the spec; else the opening of Coriolanus")

    def _parts(self) -> dict[str, str]:
        """The text of each split. Raises UserError where one is too short."""
        text, options = text_files.read("data.path", self._path()), self.options
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
        if short := next((name for name, part in parts.items() if len(part) < 2), None):
            raise UserError(
                f"data.path: {self._path()} has {len(text)} characters, of which {short} gets "
                f"{len(parts[short])}: it needs two"
            )
        if len(set(parts["train"])) < 2:
            raise UserError(
                f"data.path: {self._path()}: every character to train on is {text[0]!r}: there is "
                "nothing to learn"
            )
        return parts

    def _path(self) -> Path:
        return Path(self.options.path).expanduser() if self.options.path else CORIOLANUS

    def _facts(self, parts: dict[str, str]) -> DataFacts:
        tokens, length = _vocabulary(parts).tokens, self.options.length
        feature = Feature("int", (None,), tokens, longest=length)
        train, validation, test = (math.ceil((len(it) - 1) / length) for it in parts.values())
        return DataFacts(
            "text",
            "predict_next",
            inputs={"text": feature},
            targets={"next": feature},
            train=train,
            validation=validation,
            test=test,
            notes=(*_notes(parts), *_note_short(parts, length)),
        )

    def _split(self, part: str, vocabulary: Tokenizer) -> Split:
        """The examples of a part, `length` characters each and those that follow them; the last is
        what is left."""
        import torch

        from hpc_dl.data.ragged import Ragged, RaggedSplit

        type_ = torch.uint8 if len(vocabulary.tokens) <= 256 else torch.int32
        pieces = (part[first : first + _AT_ONCE] for first in range(0, len(part), _AT_ONCE))
        ids = torch.cat([torch.from_numpy(vocabulary.encode(it)).to(type_) for it in pieces])
        last = len(ids) - 1
        offsets = torch.tensor([*range(0, last, self.options.length), last])
        return RaggedSplit({"text": Ragged(ids[:-1], offsets), "next": Ragged(ids[1:], offsets)})


def _vocabulary(parts: dict[str, str]) -> Tokenizer:
    from hpc_dl.data import tokens

    return tokens.fit("characters", [parts["train"]])


def _notes(parts: dict[str, str]) -> tuple[str, ...]:
    """Return notes for the plan on characters that the training part does not have."""
    known = set(parts["train"])
    held_out = parts["validation"] + parts["test"]
    unknown = sorted(set(held_out) - known)
    if not unknown:
        return ()
    count = sum(map(held_out.count, unknown))
    return (
        f"{count} characters of validation and test are none of the training part's, and read as "
        f"<unk>: {first_few(map(repr, unknown), 8)}",
    )


def _note_short(parts: dict[str, str], length: int) -> tuple[str, ...]:
    """Note parts that are shorter than one example."""
    return tuple(
        f"the {name} part has {len(part)} characters, fewer than the {length} of an example"
        for name, part in parts.items()
        if len(part) <= length
    )
