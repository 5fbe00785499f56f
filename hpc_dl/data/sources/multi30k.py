"""Multi30k (Elliott et al., arXiv:1605.00459): captions of Flickr's photographs and translations of
them, a pair of files for each split, and the test of 2016."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hpc_dl.data.sentence_pairs.files import Pairs, read
from hpc_dl.data.sentence_pairs.source import PairSource, require_bleu
from hpc_dl.data.source import Staging
from hpc_dl.data.staging.staged import Sizes, StagedFiles
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.sources.multi30k import Multi30k
from hpc_dl.jobspec.tokens import Kind

SPLITS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
"""Names of the files of each split, before the language."""
URL = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw"
"""Where the files are, packed by gzip."""
EXAMPLES = 29_000 + 1014 + 1000


class Multi30kSource(StagedFiles, PairSource[Multi30k]):
    """The files of two languages, under `data.root` or the site's data folder."""

    @property
    def folder(self) -> Path:
        return self.root

    @property
    def sizes(self) -> Sizes:
        languages = (self.options.source, self.options.target)
        return {f"{name}.{it}": None for name in SPLITS.values() for it in languages}

    @property
    def kinds(self) -> tuple[Kind, Kind]:
        return self.options.tokens, self.options.tokens

    def describe(self) -> DataFacts:
        self.refuse_absent(f", from {URL}, unpacked.")
        require_bleu()
        return super().describe()

    def pairs(self) -> Mapping[str, Pairs]:
        return {
            name: read(
                "data.root",
                self.folder / f"{file}.{self.options.source}",
                self.folder / f"{file}.{self.options.target}",
            )
            for name, file in SPLITS.items()
        }

    def staging(self) -> Staging:
        return Staging(str(self.root), not self.find_fault(), EXAMPLES)

    @property
    def urls(self) -> Mapping[str, str]:
        return {name: f"{URL}/{name}.gz" for name in self.sizes}
