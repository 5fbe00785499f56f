"""Arrays in NumPy's npz files."""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
from numpy.lib import format as npy

from hpc_dl.data.arrays.stored import KEY, Array, ArrayFile, StoredArray
from hpc_dl.data.faults import reading
from hpc_dl.errors import UserError, first_few


class NpzFile(ArrayFile):
    """An open npz file: a zip of npy files."""

    form: ClassVar[str] = "npz"

    def __init__(self, path: Path) -> None:
        """Open the file. Raises UserError for one that is no zip of arrays."""
        super().__init__(path)
        with reading(KEY, path, self.form):
            self._file: Any = np.load(path, allow_pickle=False)
        there = self._file.zip.namelist()
        self._members = {it.removesuffix(".npy"): it for it in there if it.endswith(".npy")}
        if not self._members:
            self.close()
            held = f"only {first_few(there, 3)}" if there else "nothing"
            raise UserError(f"{KEY}: {path} is a zip file, but holds no array; it has {held}")

    def names(self) -> list[str]:
        return list(self._members)

    def find(self, name: str) -> StoredArray | None:
        if name not in self._members:
            return None
        member = self._members[name]
        with reading(KEY, self.path, self.form), self._file.zip.open(member) as opened:
            shape, _, dtype = _read_header(opened)
            there = self._file.zip.getinfo(member).file_size - opened.tell()
        if not dtype.hasobject and math.prod(shape) * dtype.itemsize != there:
            raise UserError(
                f"{KEY}: array '{name}' in {self.path} is damaged: {shape} {dtype}, but of "
                f"{there} bytes"
            )
        return self.stored(name, _Member(self._file.zip, member), shape, dtype)

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class _Member:
    """An array of an npz file: its first rows are read alone, else all of it."""

    zip: zipfile.ZipFile
    name: str

    def __getitem__(self, key: Any) -> Array:
        with self.zip.open(self.name) as opened:
            if isinstance(key, slice) and key.start is None and key.stop is not None:
                return self._first(opened, key.stop)
            found: Array = npy.read_array(opened, allow_pickle=False)
        return found[key]

    def _first(self, opened: IO[bytes], rows: int) -> Array:
        """Read the first rows, or all where columns come first, as in Fortran."""
        shape, by_columns, dtype = _read_header(opened)
        if by_columns:
            return self[()][:rows]
        count = min(rows, shape[0])
        content = opened.read(count * math.prod(shape[1:]) * dtype.itemsize)
        return np.frombuffer(content, dtype).reshape(count, *shape[1:])


def _read_header(opened: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return the shape of an npy file, whether columns come first, and the type."""
    first = npy.read_magic(opened) == (1, 0)
    found: tuple[tuple[int, ...], bool, np.dtype[Any]] = (
        npy.read_array_header_1_0 if first else npy.read_array_header_2_0
    )(opened)
    return found
