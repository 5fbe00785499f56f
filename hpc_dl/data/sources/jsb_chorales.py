"""Chorales of J. S. Bach (Boulanger-Lewandowski et al., arXiv:1206.6392), in the files of Huang et
al. (arXiv:1907.04868): the same splits, by quarter and by sixteenth notes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpc_dl.data.music import json_file
from hpc_dl.data.music.rolls import Pieces
from hpc_dl.data.music.source import MusicSource
from hpc_dl.data.source import Staging
from hpc_dl.data.staging.staged import Sizes, StagedFiles
from hpc_dl.jobspec.sources.jsb_chorales import JSBChorales

URL = "https://raw.githubusercontent.com/czhuang/JSB-Chorales-dataset/master/"
PER_QUARTER = {"quarter": 1, "16th": 4}
CHORALES = 382


class JSBChoralesSource(StagedFiles, MusicSource[JSBChorales]):
    """The chorales of one file."""

    @property
    def folder(self) -> Path:
        return self.root

    @property
    def sizes(self) -> Sizes:
        return {f"jsb-chorales-{self.options.resolution}.json": None}

    @property
    def per_quarter(self) -> float:
        return PER_QUARTER[self.options.resolution]

    def read(self) -> tuple[Pieces, dict[str, Any]]:
        self.refuse_absent(".")
        (file,) = self.files().values()
        return json_file.read("data.name", file), {}

    def staging(self) -> Staging:
        return Staging(str(self.root), not self.find_fault(), CHORALES)

    @property
    def urls(self) -> Mapping[str, str]:
        files = [f"jsb-chorales-{resolution}.json" for resolution in PER_QUARTER]
        return {file: f"{URL}{file}" for file in files}

    def check(self, folder: Path) -> None:
        for file in self.urls:
            json_file.read("the download", folder / file)
