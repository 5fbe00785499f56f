"""Free Spoken Digit Dataset (Jackson, https://github.com/Jakobovski/free-spoken-digit-dataset):
recordings/{digit}_{speaker}_{index}.wav; the indices 0 to 4 of each are the test."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import product
from pathlib import Path

from hpc_dl.data.audio.source import AudioSource
from hpc_dl.data.class_folders.scan import Found
from hpc_dl.data.source import Staging
from hpc_dl.data.staging.staged import Sizes, StagedFiles
from hpc_dl.jobspec.sources.fsdd import FSDD

TESTED = 5
"""Of each digit and speaker."""
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
FILES = tuple(
    sorted(
        f"{digit}_{speaker}_{index}.wav"
        for digit, speaker, index in product(range(10), SPEAKERS, range(50))
    )
)
ORIGIN = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/heads/master.zip"


class FSDDSource(StagedFiles, AudioSource[FSDD]):
    """The recordings under `data.root` or the site's data folder."""

    @property
    def folder(self) -> Path:
        return self.root / "recordings"

    @property
    def sizes(self) -> Sizes:
        return dict.fromkeys(FILES)

    @property
    def urls(self) -> Mapping[str, str]:
        return dict.fromkeys(FILES, ORIGIN)

    @cached_property
    def found(self) -> Found:
        self.refuse_absent(f", from {ORIGIN}")
        files: dict[str, list[tuple[Path, int]]] = {"train": [], "test": []}
        for name in FILES:
            digit, _, index = name.removesuffix(".wav").split("_")
            split = "test" if int(index) < TESTED else "train"
            files[split].append((self.folder / name, int(digit)))
        return Found(tuple("0123456789"), files)

    def staging(self) -> Staging:
        return Staging(str(self.root), not self.find_fault(), len(FILES))
