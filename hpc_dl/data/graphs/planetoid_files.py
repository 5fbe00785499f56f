"""Planetoid's files: pickles of arrays, of which nothing is run."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.data.faults import reading

if TYPE_CHECKING:
    from torch_geometric.data import Data

PICKLES = ("x", "tx", "allx", "y", "ty", "ally", "graph")
_HARMLESS = {
    ("__builtin__", "list"),
    ("builtins", "list"),
    ("_codecs", "encode"),
    ("collections", "defaultdict"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("scipy.sparse.csr", "csr_matrix"),
    ("scipy.sparse._csr", "csr_matrix"),
}
"""What arrays, sparse matrices and lists of neighbours are made of."""


class _OfArrays(pickle.Unpickler):
    """Unpickler that refuses what is not made of arrays: a pickle may run any program."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"it holds {module}.{name}, and not arrays alone")
        return super().find_class(module, name)


def read(folder: Path, name: str) -> Data:
    """Return the graph in the files `ind.NAME.*`. Raises UserError for damaged or others."""
    from torch_geometric.io import read_planetoid_data

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of modules that are called otherwise today
        for part in PICKLES:
            path = folder / f"ind.{name}.{part}"
            with reading("data.name", path, "file of Planetoid"), path.open("rb") as file:
                _OfArrays(file, encoding="latin1").load()
        with reading("data.name", folder, f"graph {name}"):
            return read_planetoid_data(str(folder), name)  # writes nothing beside them
