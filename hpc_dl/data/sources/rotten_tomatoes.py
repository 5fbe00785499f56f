"""Sentences of movie reviews (Pang and Lee, ACL 2005, arXiv:cs/0506075): one a line, in Latin-1."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hpc_dl.data.faults import reading
from hpc_dl.data.names import Names
from hpc_dl.data.source import Staging
from hpc_dl.data.staging.staged import Sizes, StagedFiles
from hpc_dl.data.texts.labelled import LabelledTexts
from hpc_dl.data.texts.source import WordSource
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.rotten_tomatoes import RottenTomatoes

ORIGIN = "https://www.cs.cornell.edu/people/pabo/movie-review-data/rt-polaritydata.tar.gz"
FILES = {"negative": "rt-polarity.neg", "positive": "rt-polarity.pos"}
"""Class → its file."""
OF_EACH = 5331
"""Sentences."""


class RottenTomatoesSource(StagedFiles, WordSource[RottenTomatoes]):
    """The sentences, which have no split of their own."""

    @property
    def folder(self) -> Path:
        return self.root

    @property
    def sizes(self) -> Sizes:
        return dict.fromkeys(FILES.values())

    def staging(self) -> Staging:
        return Staging(str(self.folder), not self.find_fault(), len(FILES) * OF_EACH)

    def read(self) -> LabelledTexts:
        self.refuse_absent(f", from {ORIGIN}")
        sentences = [_read(self.folder / file) for file in FILES.values()]
        labels = [number for number, lines in enumerate(sentences) for _ in lines]
        places = [f"{file}:{line}" for file in FILES.values() for line in range(1, OF_EACH + 1)]
        texts = {"train": [line for lines in sentences for line in lines]}
        names = Names("example", (len(labels),), places)
        return LabelledTexts(texts, {"train": labels}, tuple(FILES), names)

    @property
    def urls(self) -> Mapping[str, str]:
        return dict.fromkeys(FILES.values(), ORIGIN)

    def check(self, folder: Path) -> None:
        for file in FILES.values():
            _read(folder / file)


def _read(file: Path) -> list[str]:
    """Return the sentences of a file. Raises UserError where they are not as many as there are."""
    with reading("data.name: rotten_tomatoes", file, "text"):
        lines = file.read_text("latin-1").split("\n")
    sentences = [line.strip() for line in lines if line.strip()]
    if len(sentences) != OF_EACH:
        raise UserError(
            f"data.name: rotten_tomatoes: {file} has {len(sentences)} sentences instead of "
            f"{OF_EACH}",
            hint=f"Get it again, from {ORIGIN}.",
        )
    return sentences
