"""A folder of the user's own recordings, a folder a class, or Speech Commands."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.data.audio import folders
from hpc_dl.data.audio.source import AudioSource
from hpc_dl.data.class_folders import scan
from hpc_dl.data.class_folders.scan import Found
from hpc_dl.jobspec.sources.audio_folder import AudioFolder

if TYPE_CHECKING:
    from hpc_dl.data.splits.holdout import Array


class AudioFolderSource(AudioSource[AudioFolder]):
    """The recordings below `data.root`."""

    @cached_property
    def found(self) -> Found:
        return folders.find(self.options.root)

    @property
    def folder(self) -> Path:
        return Path(self.options.root).expanduser()

    def groups(self) -> Array | None:
        return scan.find_groups(self.options.groups, self.folder, self.found)
