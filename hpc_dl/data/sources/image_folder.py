"""A folder of the user's own pictures, a folder a class: in memory, or streamed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.data.class_folders import scan
from hpc_dl.data.class_folders.scan import Found
from hpc_dl.data.names import Names
from hpc_dl.data.pictures import folders
from hpc_dl.data.source import Loaded, Source
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.sources.image_folder import ImageFolder

if TYPE_CHECKING:
    from hpc_dl.data.dataset import Split


class ImageFolderSource(Source[ImageFolder]):
    """The pictures below `data.root`, which is searched once, however often they are asked for."""

    @cached_property
    def found(self) -> Found:
        """The pictures by split. Raises UserError where the folder is not one of pictures."""
        return scan.scan(self.options.root, folders.PICTURES)

    @property
    def root(self) -> Path:
        """The folder to which the names of the pictures are relative."""
        return Path(self.options.root).expanduser()

    @property
    def cache(self) -> Path:
        """The folder of decoded pictures, and of lists of those that cannot be read."""
        return self.data_root / "cache"

    def describe(self) -> DataFacts:
        return folders.facts(self.options, self.found, self.cache)

    def load(self) -> Loaded:
        from hpc_dl.data.dataset import Split
        from hpc_dl.data.pictures import cache

        pictures = cache.load(self.options, self.found, self.cache)
        return self._with_groups({name: Split(tensors) for name, tensors in pictures.items()})

    def stream(self, workers: int, *, check: bool = True) -> Loaded:
        from hpc_dl.data.pictures import cache, streamed

        if check:
            cache.check_headers(self.options, self.found, self.cache)
        return self._with_groups(streamed.splits(self.options, self.found, workers))

    def files(self) -> dict[str, Path]:
        root = self.root
        return {path.relative_to(root).as_posix(): path for path in self.found.paths}

    def names(self, splits: Mapping[str, Split]) -> Names:
        return Names("file", tuple(map(len, splits.values())), self.found.paths, self.root)

    def _with_groups(self, splits: Mapping[str, Split]) -> Loaded:
        """Return the facts and the splits, with the groups of the training pictures, if any."""
        import torch

        groups = scan.find_groups(self.options.groups, self.root, self.found)
        if groups is not None:
            splits["train"].tensors["group"] = torch.from_numpy(groups)
        return self.describe(), splits
