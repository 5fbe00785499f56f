"""WNUT-2017: novel and emerging entities in posts (Derczynski et al., W-NUT 2017,
https://aclanthology.org/W17-4418)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hpc_dl.data.source import Staging
from hpc_dl.data.staging.staged import Sizes, StagedFiles
from hpc_dl.data.tagged import conll
from hpc_dl.data.tagged.sentences import Corpus
from hpc_dl.data.tagged.source import TaggedSource
from hpc_dl.jobspec.sources.wnut17 import Wnut17

PLACE = "https://raw.githubusercontent.com/leondz/emerging_entities_17/master"
URLS = {
    "train.conll": f"{PLACE}/wnut17train.conll",
    "dev.conll": f"{PLACE}/emerging.dev.conll",
    "test.conll": f"{PLACE}/emerging.test.annotated",
}
FILES = {"train": "train.conll", "validation": "dev.conll", "test": "test.conll"}
EXAMPLES = 3394 + 1009 + 1287


class Wnut17Source(StagedFiles, TaggedSource[Wnut17]):
    """The three files, under `data.root` or the site's data folder."""

    @property
    def folder(self) -> Path:
        return self.root

    @property
    def sizes(self) -> Sizes:
        return dict.fromkeys(FILES.values())

    @property
    def where(self) -> str:
        return f"data.root: {self.root}"

    def read(self) -> tuple[Corpus, tuple[str, ...]]:
        self.refuse_absent(", from the repository leondz/emerging_entities_17.")
        columns, corpus, notes = conll.Columns(0, -1), {}, list[str]()
        for name, file in FILES.items():
            corpus[name], more = conll.read("data.root", self.folder / file, columns)
            notes += more
        return corpus, tuple(notes)

    def staging(self) -> Staging:
        return Staging(str(self.root), not self.find_fault(), EXAMPLES)

    @property
    def urls(self) -> Mapping[str, str]:
        return URLS
