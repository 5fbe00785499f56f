"""torchvision's data sets of pictures with a class each."""

from __future__ import annotations

from hpc_dl.data.library_source import LibrarySource
from hpc_dl.data.source import Loaded
from hpc_dl.jobspec.sources.torchvision import TorchVision


class TorchVisionSource(LibrarySource[TorchVision]):
    """A data set that the library reads from where it is staged."""

    def read(self) -> Loaded:
        from hpc_dl.data.pictures import torchvision_sets

        return torchvision_sets.load(self.options, self.data_root)
