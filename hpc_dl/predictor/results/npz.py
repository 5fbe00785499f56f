"""Predictions as arrays in an npz file, of which no more than a part is in memory."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from hpc_dl.errors import UserError
from hpc_dl.predictor.arrays import Array
from hpc_dl.predictor.columns import Columns
from hpc_dl.predictor.results.writer import Writer

AT_ONCE = 2**22
"""Bytes that are copied at once."""


@dataclass
class _Growing:
    """An array that grows along its first axis, in a temporary file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    count: int = 0
    file: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    def append(self, array: Array) -> None:
        self.file.write(np.ascontiguousarray(array, self.dtype).tobytes())
        self.count += len(array)

    def copy_to(self, member: IO[bytes]) -> None:
        header = io.BytesIO()
        described = {"descr": npy.dtype_to_descr(self.dtype), "fortran_order": False}
        npy.write_array_header_2_0(header, {**described, "shape": (self.count, *self.shape)})
        member.write(header.getvalue())
        self.file.seek(0)
        while content := self.file.read(AT_ONCE):
            member.write(content)
        self.file.close()


class Npz(Writer):
    """An array for each prediction, and for each column that names the examples."""

    of_arrays = True

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.arrays: dict[str, _Growing] = {}
        self.strings: dict[str, list[str]] = {}

    def write(self, columns: Columns, predicted: Mapping[str, Array]) -> None:
        named = {name: np.asarray(it) for name, it in columns.items() if name not in predicted}
        for name, array in {**named, **predicted}.items():
            if array.dtype.kind in "UO":
                self.strings.setdefault(name, []).extend(map(str, array))
                continue
            grown = self.arrays.setdefault(name, _Growing(array.dtype, array.shape[1:]))
            if array.shape[1:] != grown.shape:
                raise UserError(
                    f"'{name}' is of {array.shape[1:]} for some examples, and of {grown.shape} for "
                    "others, which no array holds",
                    hint="-o FILE.jsonl writes them, or predict them alone.",
                )
            grown.append(array)

    def close(self) -> None:
        with zipfile.ZipFile(self.file, "w") as opened:
            for name, grown in self.arrays.items():
                with opened.open(f"{name}.npy", "w", force_zip64=True) as member:
                    grown.copy_to(member)
            for name, strings in self.strings.items():
                with opened.open(f"{name}.npy", "w", force_zip64=True) as member:
                    npy.write_array(member, np.array(strings))
