"""Sources of recordings with a class each: in memory, or streamed. Light."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hpc_dl.data.audio import headers
from hpc_dl.data.audio.form import FILE, AudioForm
from hpc_dl.data.audio.wav import Header
from hpc_dl.data.class_folders.scan import Found
from hpc_dl.data.names import Names
from hpc_dl.data.source import Loaded, Source
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.jobspec.audio_options import Recordings
from hpc_dl.jobspec.facts import DataFacts, Feature

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Split
    from hpc_dl.data.splits.holdout import Array

Options = TypeVar("Options", bound=Recordings)
BYTES = 4
"""Of a sample in memory."""


class AudioSource(Source[Options]):
    """Recordings in files, which are searched once, however often they are asked for."""

    @cached_property
    @abstractmethod
    def found(self) -> Found:
        """The recordings by split. Raises UserError where there are none as wanted."""

    @property
    @abstractmethod
    def folder(self) -> Path:
        """The folder to which the names of the recordings are relative."""

    @cached_property
    def headers(self) -> dict[Path, Header]:
        """The header of each file. Raises UserError for those that are no recordings."""
        return headers.read_all(self.found.paths, self.folder, self.data_root / "cache")

    @cached_property
    def form(self) -> AudioForm:
        """The form in which they are read. Raises UserError where they are not all converted."""
        return headers.form_of(self.headers, self.options, self.folder)

    def groups(self) -> Array | None:
        """Return the group of each training recording, (N,) int64; None without groups."""
        return None

    def describe(self) -> DataFacts:
        lengths = {path: self.form.length_of(it) for path, it in self.headers.items()}
        classes, groups = self.found.classes, self.groups()
        audio = Feature("float", (None,), longest=max(lengths.values()), rate=self.form.rate)
        return DataFacts(
            "audio",
            "classify",
            {"audio": audio},
            {"label": Feature("int", (), classes)},
            **split_facts(self.found.labels, classes, Holdout.of(self.options), groups),
            example_bytes=BYTES * sum(lengths.values()) // len(lengths),
            notes=(*self.found.notes, *headers.note(self.headers, self.form)),
        )

    def load(self) -> Loaded:
        from hpc_dl.data.audio import splits

        facts = self.describe()
        return facts, self._with_groups(splits.resident(self.found, self.form, self.folder))

    def stream(self, workers: int, *, check: bool = True) -> Loaded:
        from hpc_dl.data.audio import splits

        facts = self.describe()
        if check:
            splits.check_all(self.found, self.form, self.folder, self.data_root / "cache")
        lengths = {path: self.form.length_of(it) for path, it in self.headers.items()}
        return facts, self._with_groups(splits.streamed(self.found, self.form, lengths, workers))

    def _with_groups(self, found: Mapping[str, Split]) -> Mapping[str, Split]:
        import torch

        if (groups := self.groups()) is not None:
            found["train"].tensors["group"] = torch.from_numpy(groups)
        return found

    def files(self) -> dict[str, Path]:
        return {path.relative_to(self.folder).as_posix(): path for path in self.found.paths}

    def names(self, splits: Mapping[str, Split]) -> Names:
        return Names("file", tuple(map(len, splits.values())), self.found.paths, self.folder)

    def assets(self, facts: DataFacts) -> dict[str, str]:
        return {FILE: self.form.to_json()}
