"""One long text, as sequences of tokens.

The training, validation and test parts follow each other in the text, so that no held-out token
lies between trained ones.
"""

from __future__ import annotations

import math
import os
from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.lib.format import dtype_to_descr, write_array_header_1_0

from hpc_dl.data import checked_files, text_files, tokens
from hpc_dl.data.class_folders.walk import Walk, shown, walk
from hpc_dl.data.source import Loaded, Source
from hpc_dl.data.splits.counts import SPLITS
from hpc_dl.data.tokens import Tokenizer
from hpc_dl.data.tokens.tokenizer import Ids
from hpc_dl.errors import UserError, first_few, reason
from hpc_dl.jobspec.facts import UNKNOWN, DataFacts, Feature
from hpc_dl.jobspec.running_text import RunningText

if TYPE_CHECKING:
    from torch import Tensor

    from hpc_dl.data.dataset import Split

Options = TypeVar("Options", bound=RunningText)
AT_ONCE = 2**22
"""Characters that are encoded at once, in many times the memory of their ids."""
RULE = "ids 1"
"""Changes with how ids are made of a text."""


class RunningTextSource(Source[Options]):
    """A text in three parts, which is read piece by piece; only its token ids are kept."""

    key = "data.path"
    """The option that names the file, or the folder."""

    @abstractmethod
    def path(self) -> Path:
        """Return the file, or the folder of the files."""

    @cached_property
    def paths(self) -> list[Path]:
        """The files, whose texts follow each other. Raises UserError for a folder without any."""
        if not self.path().is_dir():
            return [self.path()]
        if not (found := self._searched.files):
            raise UserError(
                f"{self._where} is a folder without a text",
                hint="Name a file, or a folder of files whose names end with .txt.",
            )
        return [*map(Path, found)]

    def files(self) -> dict[str, Path]:
        root = self.path()
        if not root.is_dir():
            return super().files()
        return {f"{self.key}/{path.relative_to(root).as_posix()}": path for path in self.paths}

    @cached_property
    def parts(self) -> dict[str, tuple[int, int]]:
        """The first character and the end of each part. Raises UserError where one is too short."""
        options, where = self.options, self._where
        count = sum(map(len, self._text()))
        test, validation = (round(count * it) for it in (options.test, options.validation))
        ends = [0, count - test - validation, count - test, count]
        parts = dict(zip(SPLITS, pairwise(ends), strict=True))
        _refuse_short(
            {name: end - first for name, (first, end) in parts.items()}, "characters", where
        )
        return parts

    @cached_property
    def tokenizer(self) -> Tokenizer:
        options = self.options
        if self.fitted:
            return tokens.load(self.fitted.assets / tokens.FILE)
        self._refuse_one_character()
        return tokens.fit(options.tokens, self._pieces("train"), options.vocabulary)

    @cached_property
    def counts(self) -> dict[str, int]:
        """The tokens of each part. Raises UserError where one has too few."""
        if self.options.tokens == "characters":
            return {name: end - first for name, (first, end) in self.parts.items()}
        counts = {name: count for name, (count, _) in self._encoded_counts.items()}
        _refuse_short(counts, "tokens", self._where)
        return counts

    @cached_property
    def _encoded_counts(self) -> dict[str, tuple[int, int]]:
        """The tokens of each part that is encoded to count them, and how many are unknown."""
        counts = {}
        for name in SPLITS[1:] if self.options.tokens == "characters" else SPLITS:
            encoded = map(self.tokenizer.encode, self._pieces(name))
            found = np.sum([(len(ids), (ids == 0).sum()) for ids in encoded], axis=0)
            counts[name] = int(found[0]), int(found[1])
        return counts

    def describe(self) -> DataFacts:
        length, kind = self.options.length, self.options.tokens
        feature = Feature(
            "int",
            (None,),
            self.tokenizer.tokens,
            longest=length,
            tokens="words" if kind == "lowercase_words" else kind,
        )
        train, validation, test = (math.ceil((it - 1) / length) for it in self.counts.values())
        unit = "characters" if kind == "characters" else "tokens"
        return DataFacts(
            "text",
            "predict_next",
            inputs={"text": feature},
            targets={"next": feature},
            train=train,
            validation=validation,
            test=test,
            example_bytes=length * self._dtype.itemsize,
            notes=(
                *self._note_files(),
                *self._note_unknown(unit),
                *_note_short(self.counts, unit, length),
            ),
        )

    def load(self) -> Loaded:
        import torch

        def ids(part: str) -> Tensor:
            return torch.from_numpy(np.concatenate([*self._encoded(part)]))

        return self.describe(), {name: self._split(ids(name)) for name in self.parts}

    def stream(self, workers: int, *, check: bool = True) -> Loaded:
        """Prepare examples whose ids lie in files, of which the system reads what is asked for; no
        workers are needed."""
        return self.describe(), {name: self._split(self._mapped(name)) for name in self.parts}

    def assets(self, facts: DataFacts) -> dict[str, str]:
        return {tokens.FILE: tokens.to_json(self.tokenizer)}

    @property
    def _where(self) -> str:
        return f"{self.key}: {self.path()}"

    @property
    def _dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8 if len(self.tokenizer.tokens) <= 256 else np.int32)

    def _pieces(self, part: str) -> Iterator[str]:
        first, end = self.parts[part]
        return _in_pieces(_between(self._text(), first, end))

    def _text(self) -> Iterator[str]:
        """Yield the text in parts, which are read once if it is small."""
        return self._read() if self._kept is None else iter(self._kept)

    @cached_property
    def _kept(self) -> list[str] | None:
        size = sum(path.stat().st_size for path in self.paths if path.is_file())
        return [*self._read()] if size <= text_files.KEPT else None

    def _read(self) -> Iterator[str]:
        """Read the text in parts; each file begins with a line."""
        last = ""
        for path in self.paths:
            if last and not last.endswith("\n"):
                yield "\n"
            for part in text_files.read_in_parts(self.key, path):
                last = part or last
                yield part

    def _encoded(self, part: str) -> Iterator[Ids]:
        """Yield the ids of a part, piece by piece."""
        return (self.tokenizer.encode(it).astype(self._dtype) for it in self._pieces(part))

    def _mapped(self, part: str) -> Tensor:
        """Return the ids of a part in a file of the cache, which is written where it is absent."""
        import torch

        options = self.options
        way = (RULE, options.tokens, options.vocabulary, options.validation, options.test, part)
        digest = checked_files.digest(repr(way), self.paths)
        file = self.data_root / "cache" / f"{digest}.npy"
        if not file.exists():
            _write(file, self.counts[part], self._dtype, self._encoded(part))
        # Copied where it is written to, which it is not: torch warns of tensors that cannot be.
        return torch.from_numpy(np.load(file, mmap_mode="c"))

    def _split(self, ids: Tensor) -> Split:
        """The examples of a part, `length` tokens each and those that follow them; the last is
        what is left."""
        import torch

        from hpc_dl.data.ragged import Ragged, RaggedSplit

        last = len(ids) - 1
        offsets = torch.arange(0, last + self.options.length, self.options.length).clamp(max=last)
        return RaggedSplit({"text": Ragged(ids[:-1], offsets), "next": Ragged(ids[1:], offsets)})

    @cached_property
    def _searched(self) -> Walk:
        return walk(self.path(), (".txt",), self.key)

    def _note_files(self) -> tuple[str, ...]:
        """Note for the plan which files of a folder are read, in their order."""
        if not self.path().is_dir():
            return ()
        names = [shown(path, self.path()) for path in self.paths]
        others = sum(self._searched.others.values())
        left = f"; {others} files of other names are not read" if others else ""
        return (f"{self._where}: texts that follow each other: {first_few(names)}{left}",)

    def _refuse_one_character(self) -> None:
        """Raise UserError where the training part repeats one character."""
        found: set[str] = set()
        for piece in self._pieces("train"):
            found.update(piece)
            if len(found) > 1:
                return
        raise UserError(
            f"{self._where}: every character to train on is {found.pop()!r}: there is nothing to "
            "learn"
        )

    def _note_unknown(self, unit: str) -> tuple[str, ...]:
        """Note for the plan what of the held-out parts the training part does not have."""
        if UNKNOWN not in self.tokenizer.tokens:
            return ()
        held_out = ("validation", "test")
        if not (count := sum(self._encoded_counts[part][1] for part in held_out)):
            return ()
        strange = set[str]()
        if unit == "characters":
            found = (set(piece) for part in held_out for piece in self._pieces(part))
            strange = set().union(*found) - set(self.tokenizer.tokens)
        note = f"{count} {unit} of validation and test are none of the training part's, and read as"
        named = f": {first_few(map(repr, sorted(strange)), 8)}" if strange else ""
        return (f"{note} {UNKNOWN}{named}",)


def _between(text: Iterator[str], first: int, end: int) -> Iterator[str]:
    """Yield the characters of a text from `first` to before `end`."""
    at = 0
    for part in text:
        yield part[max(first - at, 0) : max(end - at, 0)]
        at += len(part)
        if at >= end:
            return


def _in_pieces(text: Iterator[str]) -> Iterator[str]:
    """Yield a text in pieces that end with a line, or are AT_ONCE characters long."""
    held = ""
    for part in text:
        held += part
        while len(held) > AT_ONCE:
            end = held.rfind("\n", 0, AT_ONCE) + 1 or AT_ONCE
            yield held[:end]
            held = held[end:]
    if held:
        yield held


def _write(file: Path, count: int, dtype: np.dtype[Any], parts: Iterator[Ids]) -> None:
    """Write ids to a file, which is whole once it is there. Raises UserError where the disk does
    not take it."""
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        form = {"descr": dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)}
        with temporary.open("wb") as opened:
            write_array_header_1_0(opened, form)
            for part in parts:
                part.tofile(opened)
        temporary.replace(file)
    except OSError as error:
        raise UserError(
            f"{file} cannot be written: {reason(error)}",
            hint="The ids of a text that is streamed need room beside the staged data; "
            "data.loading: resident keeps them in memory.",
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


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
