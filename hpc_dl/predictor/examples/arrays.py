"""Examples in arrays: npz, npy and HDF5 files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hpc_dl.data.faults import reading
from hpc_dl.errors import UserError, first_few
from hpc_dl.predictor import Predictor
from hpc_dl.predictor.examples.part import Examples, Part
from hpc_dl.zoo.contract import SHARED

SUFFIXES = (".npz", ".npy", ".h5", ".hdf5")
_FORM = "file of arrays"


def of(predictor: Predictor, path: Path, name: str | None, size: int) -> Examples:
    """Return the examples in the arrays of a file; HDF5 is read part by part.

    Arrays go by the names of the network's inputs; a network with one input takes the array called
    `name`, or the only one. Raises UserError for arrays that are not there, or of another shape.
    """
    wanted = predictor.inputs
    with reading("INPUT", path, _FORM):
        chosen = _chosen(_open(path), list(wanted), name, path)
    if any(it in SHARED for it in wanted):
        return _graph(chosen, wanted)
    _check(predictor, chosen)
    counts = {it: len(array) for it, array in chosen.items()}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} of {it}" for it, count in counts.items())
        raise UserError(f"{path}: the arrays have to be of as many examples each, not {found}")
    total = next(iter(counts.values()))
    return Examples(_parts(chosen, total, size, path), total)


def _open(path: Path) -> Mapping[str, Any]:
    """Return the arrays of a file by their names; that of npy has none."""
    if path.suffix.lower() in (".h5", ".hdf5"):
        import h5py

        file, found = h5py.File(path, "r"), {}
        file.visititems(
            lambda name, it: found.update({name: it}) if isinstance(it, h5py.Dataset) else None
        )
        return found
    loaded = np.load(path, allow_pickle=False, mmap_mode="r")
    return {"": loaded} if isinstance(loaded, np.ndarray) else loaded  # each is read when indexed


def _chosen(
    there: Mapping[str, Any], wanted: list[str], name: str | None, path: Path
) -> dict[str, Any]:
    """Return the arrays of the network's inputs."""
    if name is not None:
        if len(wanted) > 1:
            raise UserError(f"--column: the network takes several arrays: {', '.join(wanted)}")
        if name not in there:
            raise UserError(f"{path} has no array '{name}'", hint=f"It has: {first_few(there, 8)}.")
        return {wanted[0]: there[name]}
    if len(wanted) == len(there) == 1:
        return {wanted[0]: there[next(iter(there))]}
    if missing := [it for it in wanted if it not in there]:
        ways = f"It has: {first_few(there, 8)}."
        if len(wanted) == 1:
            ways += " --column names the one to predict."
        raise UserError(f"{path} has no array '{missing[0]}'", hint=ways)
    return {it: there[it] for it in wanted}


def _graph(chosen: Mapping[str, Any], wanted: Mapping[str, Any]) -> Examples:
    """Return graphs, which are predicted at once: each node is an example, or each graph."""
    given = {name: np.asarray(it) for name, it in chosen.items()}
    if "graph" in wanted:
        count, noun = int(np.max(given["graph"], initial=-1)) + 1, "graph"
    elif "at" in wanted:
        count, noun = len(given["at"]), "node"
    else:
        count, noun = len(given["node"]), "node"
    numbers = given["at"].tolist() if noun == "node" and "at" in given else range(count)
    places = [f"{noun} {it}" for it in numbers]
    return Examples([Part(given, {noun: [*numbers]}, places, whole=True)], count)


def _check(predictor: Predictor, chosen: Mapping[str, Any]) -> None:
    """Raise UserError for arrays whose shape or type no example of the network has."""
    for name, array in chosen.items():
        if array.ndim == 0 or not len(array):
            raise UserError(f"{name} is {array.shape}: no examples")
    if all(array.dtype.kind in "biuf" for array in chosen.values()):
        blank = {name: np.zeros((1, *it.shape[1:]), it.dtype) for name, it in chosen.items()}
    else:
        blank = {name: np.asarray(it[:1]) for name, it in chosen.items()}
    predictor.batch(blank if len(blank) > 1 else next(iter(blank.values())))


def _parts(chosen: Mapping[str, Any], total: int, size: int, path: Path) -> Iterator[Part]:
    for first in range(0, total, size):
        end = min(first + size, total)
        with reading("INPUT", path, _FORM):
            some = {name: np.asarray(it[first:end]) for name, it in chosen.items()}
        numbers = range(first, end)
        given = some if len(some) > 1 else next(iter(some.values()))
        yield Part(given, {"example": numbers}, [f"{path}[{it}]" for it in numbers])
