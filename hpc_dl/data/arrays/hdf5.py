"""Arrays in HDF5 files, MATLAB's of version 7.3 among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np

from hpc_dl.data.arrays import chunks, parts
from hpc_dl.data.arrays.stored import KEY, ArrayFile, StoredArray
from hpc_dl.data.faults import reading
from hpc_dl.errors import UserError, first_few

MOST = 1000
"""Arrays of a file that are looked for: each takes a tenth of a millisecond and more."""
REVERSED = ("MATLAB_class", "rhdf5-NA.OK")
"""Attributes of arrays that MATLAB and R wrote."""
NETCDF = ("scale_factor", "add_offset", "_FillValue", "missing_value")
_LOCKED = (
    "Another process writes it: wait until it is done. If none does, the file system has no locks: "
    "export HDF5_USE_FILE_LOCKING=FALSE."
)


class Hdf5File(ArrayFile):
    """An open HDF5 file."""

    form: ClassVar[str] = "hdf5"

    def __init__(self, path: Path, kept: int | None = None) -> None:
        """Open the file. Raises UserError for one that cannot be opened.

        `kept` is how many bytes of chunks the library keeps in memory.
        """
        super().__init__(path)
        with reading(KEY, path, self.form):
            try:
                self._file = h5py.File(path, "r", rdcc_nbytes=kept)
            except BlockingIOError:
                raise UserError(f"{KEY}: {path} is locked", hint=_LOCKED) from None

    def names(self) -> list[str]:
        found: list[str] = []

        def note(name: str, there: Any) -> bool | None:
            if isinstance(there, h5py.Dataset):
                found.append(name)
            return True if len(found) >= MOST else None

        with reading(KEY, self.path, self.form):
            self._file.visititems(note)
        return found

    def find(self, name: str) -> StoredArray | None:
        with reading(KEY, self.path, self.form):
            link = self._file.get(name, getlink=True) if name.strip("/") else None
            found = None if link is None else self._file.get(name)
        if link is None:
            return None
        where = f"{KEY}: '{name}' in {self.path}"
        if found is None:
            raise UserError(f"{where} is a link to {_target(link)}")
        with reading(KEY, f"'{name}' in {self.path}", self.form):
            _refuse_no_array(found, name, where)
            _refuse_unreadable(found, where)
            parts.refuse_absent(found, self.path, where)
            dtype, inner = found.dtype.subdtype or (found.dtype, ())
            return self.stored(name, found, (*found.shape, *inner), dtype)

    def notes(self, names: Sequence[str]) -> tuple[str, ...]:
        with reading(KEY, self.path, self.form):
            found = {name: self._file[name] for name in names}
            unwritten = (chunks.note_unwritten(it, f"'{name}'") for name, it in found.items())
            return (*_note_reversed(found), *_note_attributes(found), *chain(*unwritten))

    def close(self) -> None:
        self._file.close()


def _note_reversed(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Note arrays of programs whose first axis is the last of the file."""
    shapes = {
        name: it.shape
        for name, it in found.items()
        if len(it.shape or ()) > 1 and any(mark in it.attrs for mark in REVERSED)
    }
    if not shapes:
        return ()
    shown = (f"'{name}' is {shape}, and {shape[::-1]} there" for name, shape in shapes.items())
    return (f"MATLAB or R wrote the file, whose axes are reversed here: {first_few(shown)}",)


def _note_attributes(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Note attributes by which netCDF changes the meaning of values, which are read as they are."""
    return tuple(
        f"'{name}' has {key} {it.attrs[key]}, which is not applied: values are read as they are"
        for name, it in found.items()
        for key in NETCDF
        if key in it.attrs and np.array_equal(it.attrs[key], it.attrs[key])  # not for NaN
    )


def _target(link: Any) -> str:
    """Describe where a broken link goes."""
    if isinstance(link, h5py.ExternalLink):
        return f"'{link.path}' in {link.filename}, which is not there, or has no such array"
    return f"'{link.path}', which is not there" if isinstance(link, h5py.SoftLink) else "nothing"


def _refuse_no_array(found: Any, name: str, where: str) -> None:
    """Raise UserError for a group, for a type, and for an array without a shape."""
    if isinstance(found, h5py.Group):
        held = [f"{name.rstrip('/')}/{it}" for it in found]
        hint = f"It has: {first_few(held, 8)}." if held else "It is empty."
        if "pandas_type" in found.attrs:
            hint = "pandas wrote it: save it by frame.to_parquet, for data.name: parquet."
        elif {"data", "indices", "indptr"} <= set(found):
            hint = "It is a sparse matrix: save x.toarray()."
        elif "MATLAB_sparse" in found.attrs:
            hint = "It is a sparse matrix of MATLAB's: save full(x)."
        raise UserError(f"{where} is a group, not an array", hint=hint)
    if not isinstance(found, h5py.Dataset):
        raise UserError(f"{where} is a data type, not an array")
    if found.shape is None:
        raise UserError(f"{where} is empty: it has no shape")
    _refuse_matlab(found, where)


def _refuse_matlab(found: Any, where: str) -> None:
    """Raise UserError for what MATLAB has in place of values: sizes, codes of letters, and numbers
    of objects."""
    if "MATLAB_empty" in found.attrs:
        raise UserError(f"{where} is empty: in MATLAB it is {tuple(found[()].tolist())}")
    kind = found.attrs.get("MATLAB_class", b"")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if "MATLAB_object_decode" in found.attrs or kind == "char":
        hint = "Save numbers in MATLAB: double(y), or grp2idx(y)."
        raise UserError(f"{where} is of MATLAB's type {kind}, which is not supported", hint=hint)


def _refuse_unreadable(dataset: Any, where: str) -> None:
    """Raise UserError for an array whose filter is not installed, or that is in raw files."""
    plist = dataset.id.get_create_plist()
    for number in range(plist.get_nfilters()):
        code, _, _, name = plist.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            known = name.decode(errors="replace") or "a filter"
            raise UserError(
                f"{where} is compressed by {known} (number {code}), which is not installed",
                hint="pip install hdf5plugin, and export HDF5_PLUGIN_PATH=$(python -c 'import "
                "hdf5plugin; print(hdf5plugin.PLUGIN_PATH)'); or h5repack -f GZIP=4 OLD NEW.",
            )
    if dataset.external:
        names = first_few(name for name, *_ in dataset.external)
        raise UserError(
            f"{where} has its values in raw files ({names})",
            hint="Copy it into one file, in their folder: h5repack -f NONE OLD NEW.",
        )
