"""Planetoid's files: pickles of arrays, of which nothing is run."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.data import pickles
from hpc_dl.data.faults import reading

if TYPE_CHECKING:
    from torch_geometric.data import Data

PICKLES = ("x", "tx", "allx", "y", "ty", "ally", "graph")


def read(folder: Path, name: str) -> Data:
    """Return the graph in the files `ind.NAME.*`. Raises UserError for damaged or others."""
    from torch_geometric.io import read_planetoid_data

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of modules that are called otherwise today
        for part in PICKLES:
            path = folder / f"ind.{name}.{part}"
            with reading("data.name", path, "file of Planetoid"):
                pickles.load(path)
        with reading("data.name", folder, f"graph {name}"):
            return read_planetoid_data(str(folder), name)  # writes nothing beside them
