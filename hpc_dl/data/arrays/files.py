"""Files of arrays: which arrays a source names in them, each read when it is indexed."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from hpc_dl.data.arrays import hdf5_files
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.sources.arrays import Arrays, Npz

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
_DAMAGED = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)
SHOWN = 8
"""Names of arrays that are listed."""


class NpzArray:
    """An array in an npz file, of which shape and dtype are known without reading the rest."""

    def __init__(self, file: Any, name: str) -> None:
        self.file = file
        self.name = name
        form = np.lib.format
        with file.zip.open(f"{name}.npy") as member:
            first = form.read_magic(member) == (1, 0)
            read = form.read_array_header_1_0 if first else form.read_array_header_2_0
            self.shape, _, self.dtype = read(member)

    def __getitem__(self, key: Any) -> Array:
        found: Array = self.file[self.name][key]
        return found


def array_names(source: Arrays) -> dict[str, tuple[str, str]]:
    """Return the names of the arrays of each split: its examples, and their labels.

    Raises UserError for half a pair, and for an array that is named twice.
    """
    given = {"train": (source.inputs, source.labels)}
    if source.test_inputs and source.test_labels:
        given["test"] = (source.test_inputs, source.test_labels)
    elif source.test_inputs or source.test_labels:
        here, other = ("inputs", "labels") if source.test_inputs else ("labels", "inputs")
        raise UserError(
            f"data.test_{here}: there is no data.test_{other}, and a test needs both",
            hint=f"Give data.test_{other} too, or neither for a share of the examples.",
        )
    every = [name for pair in given.values() for name in pair]
    if twice := next((name for name in every if every.count(name) > 1), None):
        raise UserError(f"data.path: array '{twice}' is named for two different things")
    return given


@contextlib.contextmanager
def open_arrays(source: Arrays) -> Iterator[Mapping[str, Any]]:
    """Open the arrays that a source names; each is read when it is indexed."""
    path = Path(source.path).expanduser()
    if not path.is_file():
        raise UserError(f"data.path: there is no file {path}")
    wanted = [name for pair in array_names(source).values() for name in pair]
    wanted += [source.groups] if source.groups else []
    try:
        with _open(source, path) as file:
            for name in wanted:
                if name not in file:
                    raise _absent(name, _all_names(file), path)
            yield {name: _array(file, name, path) for name in wanted}
    except _DAMAGED as error:
        raise UserError(f"data.path: {path} is no readable {source.name}: {error}") from None


def _open(source: Arrays, path: Path) -> Any:
    if isinstance(source, Npz):
        found = np.load(path, allow_pickle=False)
        if not isinstance(found, np.lib.npyio.NpzFile):
            raise UserError(f"data.path: {path} is a single array; save it by numpy.savez")
        return found
    return hdf5_files.open_file(path)


def _array(file: Any, name: str, path: Path) -> Any:
    """Return an array of an open file, not read yet. Raises UserError for an HDF5 group."""
    if isinstance(file, np.lib.npyio.NpzFile):
        return NpzArray(file, name)
    found = file[name]
    if not hasattr(found, "shape"):
        raise UserError(
            f"data.path: '{name}' in {path} is a group, not an array",
            hint=f"It has: {', '.join(f'{name}/{it}' for it in list(found)[:SHOWN])}.",
        )
    hdf5_files.refuse_unreadable(found, f"data.path: '{name}' in {path}")
    return found


def _all_names(file: Any) -> list[str]:
    """Return the names of all arrays of an open file, in HDF5 those in groups as well."""
    if isinstance(file, np.lib.npyio.NpzFile):
        return list(file)
    found: list[str] = []
    file.visititems(lambda name, it: found.append(name) if hasattr(it, "shape") else None)
    return found


def note_unread_arrays(source: Arrays) -> tuple[str, ...]:
    """Note the arrays of the file that no option names."""
    path = Path(source.path).expanduser()
    named = {name.strip("/") for pair in array_names(source).values() for name in pair}
    named |= {source.groups.strip("/")} if source.groups else set()
    with _open(source, path) as file:
        left = [name for name in _all_names(file) if name not in named]
    if not left:
        return ()
    hint = "" if source.test_inputs else "; data.test_inputs and data.test_labels name a test"
    return (f"arrays that are not read: {first_few(left, SHOWN)}{hint}",)


def _absent(name: str, there: list[str], path: Path) -> UserError:
    near = get_close_matches(name, there, 3)
    guess = f"Did you mean {' or '.join(near)}?" if near else f"It has: {', '.join(there)}."
    return UserError(
        f"data.path: {path} has no array '{name}'",
        hint=f"{guess} data.inputs and data.labels name them.",
    )
