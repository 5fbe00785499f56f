"""Free Spoken Digit Dataset (Jackson, https://github.com/Jakobovski/free-spoken-digit-dataset):
recordings/{digit}_{speaker}_{index}.wav; the indices 0 to 4 of each are the test."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from hpc_dl.data.audio.source import AudioSource
from hpc_dl.data.class_folders.scan import Found
from hpc_dl.data.class_folders.walk import list_folder
from hpc_dl.data.faults import Faults
from hpc_dl.data.source import Staging
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.fsdd import FSDD

_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[a-z]+)_(?P<index>\d+)\.wav")
TESTED = 5
"""Of each digit and speaker."""
EXAMPLES = 3000
_WHERE = "git clone https://github.com/Jakobovski/free-spoken-digit-dataset"


class FSDDSource(AudioSource[FSDD]):
    """The recordings under `data.root` or the site's data folder."""

    @property
    def folder(self) -> Path:
        root = self.options.root
        return (Path(root).expanduser() if root else self.data_root / "fsdd") / "recordings"

    @cached_property
    def found(self) -> Found:
        if not self.folder.is_dir():
            raise UserError(
                f"fsdd is not staged: there is no folder {self.folder}",
                hint=self._hint(),
            )
        files: dict[str, list[tuple[Path, int]]] = {"train": [], "test": []}
        faults = Faults(f"data.root: {self.folder}")
        for name in list_folder(self.folder).files:
            if match := _NAME.fullmatch(name):
                split = "test" if int(match["index"]) < TESTED else "train"
                files[split].append((self.folder / name, int(match["digit"])))
            else:
                faults.add("names that are not DIGIT_SPEAKER_INDEX.wav", [name], "Take them out.")
        faults.refuse()
        if not all(files.values()):
            raise UserError(
                f"fsdd is not staged: {self.folder} has {len(files['train'])} recordings to train "
                f"on and {len(files['test'])} for the test",
                hint=f"Get it whole: {_WHERE}",
            )
        return Found(tuple("0123456789"), files)

    def _hint(self) -> str:
        """Return where the recordings are, if one folder too deep is named, or how to get them."""
        root = self.folder.parent
        if root.is_dir() and any(map(_NAME.fullmatch, list_folder(root).files)):
            return f"They lie in {root} itself. Name the folder above: data.root: {root.parent}"
        return f"On a machine with internet: {_WHERE} {root}"

    def staging(self) -> Staging:
        return Staging(str(self.folder.parent), self.folder.is_dir(), EXAMPLES)
