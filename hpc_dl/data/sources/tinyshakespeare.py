"""Tiny Shakespeare (Karpathy, 2015): the beginnings of many plays, as one text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hpc_dl.data.source import Staging
from hpc_dl.data.staging.staged import Sizes, StagedFiles
from hpc_dl.data.texts.running import RunningTextSource
from hpc_dl.jobspec.sources.tinyshakespeare import TinyShakespeare

URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/"
FILE = "input.txt"


class TinyShakespeareSource(StagedFiles, RunningTextSource[TinyShakespeare]):
    """The text of its one file."""

    key = "data.name"

    @property
    def folder(self) -> Path:
        return self.root

    @property
    def sizes(self) -> Sizes:
        return {FILE: 1_115_394}

    def path(self) -> Path:
        self.refuse_absent(f", from {URL}{FILE}")
        return self.folder / FILE

    def staging(self) -> Staging:
        return Staging(str(self.root), not self.find_fault())

    @property
    def urls(self) -> Mapping[str, str]:
        return {FILE: f"{URL}{FILE}"}
