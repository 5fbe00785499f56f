"""torch_geometric's data sets, of one graph or many."""

from __future__ import annotations

from hpc_dl.data.library_source import LibrarySource
from hpc_dl.data.source import Loaded
from hpc_dl.jobspec.sources.torch_geometric import TorchGeometric


class TorchGeometricSource(LibrarySource[TorchGeometric]):
    """A data set that the library reads from where it is staged."""

    def read(self) -> Loaded:
        from hpc_dl.data.graphs import geometric_sets

        return geometric_sets.load(self.options, self.data_root)
