"""Arrays in NumPy's npz files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

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
            first = npy.read_magic(opened) == (1, 0)
            read = npy.read_array_header_1_0 if first else npy.read_array_header_2_0
            shape, _, dtype = read(opened)
            there = self._file.zip.getinfo(member).file_size - opened.tell()
        if not dtype.hasobject and math.prod(shape) * dtype.itemsize != there:
            raise UserError(
                f"{KEY}: array '{name}' in {self.path} is damaged: {shape} {dtype}, but of "
                f"{there} bytes"
            )
        return self.stored(_Member(self._file, name), shape, dtype)

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class _Member:
    """An array of an npz file, all of which is read when a part is indexed."""

    file: Any
    name: str

    def __getitem__(self, key: Any) -> Array:
        found: Array = self.file[self.name][key]
        return found
