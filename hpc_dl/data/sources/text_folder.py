"""A folder of the user's own texts, a folder a class: in memory, or streamed. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, overload

from hpc_dl.data import text_files
from hpc_dl.data.class_folders import scan
from hpc_dl.data.class_folders.form import Form
from hpc_dl.data.class_folders.scan import Found
from hpc_dl.data.faults import Faults
from hpc_dl.data.names import Names
from hpc_dl.data.source import Loaded
from hpc_dl.data.texts.labelled import LabelledTexts
from hpc_dl.data.texts.source import WordSource
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.text_folder import TextFolder

if TYPE_CHECKING:
    from torch import Tensor

    from hpc_dl.data.tokens import Tokenizer
    from hpc_dl.data.tokens.tokenizer import Ids

TEXTS = Form("text", (".txt",), no_classes=("unsup",))


class TextFolderSource(WordSource[TextFolder]):
    """The texts below `data.root`, which is searched once."""

    @property
    def root(self) -> Path:
        return Path(self.options.root).expanduser()

    @cached_property
    def found(self) -> Found:
        """The texts by split. Raises UserError where the folder is not one of texts."""
        return scan.scan(self.options.root, TEXTS)

    def read(self) -> LabelledTexts:
        if len(self.found.classes) == 1:
            raise UserError(
                f"data.root: {self.root} has one class alone, '{self.found.classes[0]}': there is "
                "nothing to learn"
            )
        faults, kept = Faults(f"data.root: {self.root}"), dict[Path, str]()
        keep = sum(path.stat().st_size for path in self.found.paths) <= text_files.KEPT
        for path in self.found.paths:
            with faults.collect():
                text = text_files.read("data.root", path)
                kept |= {path: text} if keep else {}
        faults.refuse()
        sizes = tuple(map(len, self.found.files.values()))
        texts = {name: [path for path, _ in its] for name, its in self.found.files.items()}
        return LabelledTexts(
            {
                name: [kept[path] for path in paths] if keep else _Files(paths)
                for name, paths in texts.items()
            },
            self.found.labels,
            self.found.classes,
            Names("file", sizes, self.found.paths, self.root),
            scan.find_groups(self.options.groups, self.root, self.found),
            (*self.found.notes, *scan.note_pattern(self.options.groups)),
        )

    def stream(self, workers: int, *, check: bool = True) -> Loaded:
        import torch

        from hpc_dl.data import streamed_ragged

        given, encoded, splits = self.divided.given, _Encoded(self.tokenizer, self.longest), {}
        for name, its in self.found.files.items():
            paths = [path for path, _ in its]
            lengths = [len(encoded.ids(path)) for path in paths]
            labels = {"label": torch.tensor(given.labels[name])}
            if name == "train" and given.groups is not None:
                labels["group"] = torch.from_numpy(given.groups)
            keys = streamed_ragged.keys_of(paths, lengths)
            splits[name] = streamed_ragged.split_of(
                "text", encoded, keys, labels, torch.int64, workers
            )
        return self.facts, splits

    def files(self) -> dict[str, Path]:
        return {path.relative_to(self.root).as_posix(): path for path in self.found.paths}


@dataclass(frozen=True)
class _Files(Sequence[str]):
    """Texts in files, each read when it is asked for."""

    paths: Sequence[Path]

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> _Files: ...
    def __getitem__(self, at: int | slice) -> str | _Files:
        if isinstance(at, slice):
            return _Files(self.paths[at])
        return text_files.read("data.root", self.paths[at])


@dataclass(frozen=True)
class _Encoded:
    """Reads texts by the paths of their files, as token ids (T,) int64."""

    tokenizer: Tokenizer
    longest: int

    def ids(self, path: Path) -> Ids:
        return self.tokenizer.encode(text_files.read("data.root", path))[: self.longest]

    def read(self, key: Path) -> Tensor:
        import torch

        return torch.from_numpy(self.ids(key))
