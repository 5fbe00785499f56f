"""Other files that have values of an array in HDF5: one it is linked from, and parts of a virtual
one. Light."""

from __future__ import annotations

import math
from itertools import groupby
from operator import lt
from pathlib import Path
from typing import Any

import h5py

from hpc_dl.data.arrays.stored import KEY
from hpc_dl.data.faults import Faults, reading
from hpc_dl.errors import UserError, first_few


def other_files(dataset: Any, path: Path) -> dict[str, Path]:
    """Return the files other than `path` that have values of a dataset, if they are known."""
    home = Path(dataset.file.filename)
    linked = {} if home == path else {home.name: home}
    names = {it.file_name for it in _sources(dataset)} - {"."}
    return linked | {name: home.parent / name for name in sorted(names)}


def refuse_absent(dataset: Any, path: Path, where: str) -> None:
    """Raise UserError for parts that are not there, or smaller than they should be: HDF5 reads
    zeros for them."""
    files = other_files(dataset, path)
    if absent := [name for name, file in files.items() if not file.is_file()]:
        raise UserError(
            f"{where} lies in other files, of which {len(absent)} of {len(files)} are not there: "
            f"{first_few(absent, 3)}",
            hint=f"They belong into {Path(dataset.file.filename).parent}.",
        )
    faults = Faults(where)
    faults.add("it lies in other arrays, which are not there or of another size", _broken(dataset))
    faults.refuse()


def count_unmapped(dataset: Any) -> int:
    """Return how many values of a virtual dataset are in no other array, if that is known."""
    if dataset.maxshape != dataset.shape:
        return 0
    mapped = sum(it.vspace.get_select_npoints() for it in dataset.virtual_sources())
    return max(0, math.prod(dataset.shape) - mapped)


def _sources(dataset: Any) -> list[Any]:
    """Return the parts of a virtual dataset, but for those whose names are a pattern."""
    found = dataset.virtual_sources() if dataset.is_virtual else []
    return [it for it in found if "%" not in it.file_name]


def _broken(dataset: Any) -> list[str]:
    """Return the arrays, each with its file, that do not have the values of a virtual dataset."""
    home, found = Path(dataset.file.filename), list[str]()
    for name, parts in groupby(_sources(dataset), lambda it: it.file_name):
        file = home if name == "." else home.parent / name
        with reading(KEY, file, "hdf5"), h5py.File(file) as opened:
            broken = [it.dset_name for it in parts if not _has(opened.get(it.dset_name), it)]
        found += [f"'{array}' in {file}" for array in broken]
    return list(dict.fromkeys(found))


def _has(found: Any, part: Any) -> bool:
    """Return whether what is found is a dataset that has the values of a part."""
    shape, chosen = getattr(found, "shape", None), part.src_space
    if shape is None:
        return False
    if chosen.get_select_type() == h5py.h5s.SEL_ALL:
        return math.prod(shape) == part.vspace.get_select_npoints()
    _, last = chosen.get_select_bounds()
    return len(last) == len(shape) and all(map(lt, last, shape))
