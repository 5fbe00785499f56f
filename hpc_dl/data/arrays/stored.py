"""Arrays in a file: known by shape and type, read when they are indexed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hpc_dl.data.faults import reading

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

KEY = "data.path"
"""The option that names the file."""


@dataclass(frozen=True)
class StoredArray:
    """An array in an open file, of which shape and type are known without reading the rest."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    held: Any
    """The library's own, which reads what is indexed."""
    path: Path
    form: str

    def __getitem__(self, key: Any) -> Array:
        """Read a part, `[()]` being all, in this machine's order of bytes."""
        with reading(KEY, f"{self.path}{_rows(key)}", self.form):
            found = np.asarray(self.held[key])
        with np.errstate(over="ignore"):  # what is too large becomes infinite, which is refused
            return found.astype(native(found.dtype), copy=False)


def native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a type in this machine's order of bytes, of 8 bytes at most if it is of floats."""
    wide = dtype.kind == "f" and dtype.itemsize > 8
    return np.dtype(np.float64) if wide else dtype.newbyteorder("=")


def _rows(key: Any) -> str:
    """Name the rows that are read, if they are some of all."""
    if isinstance(key, slice):
        return f", rows {key.start} to {key.stop - 1},"
    return f", rows {key[0]} to {key[-1]}," if isinstance(key, np.ndarray) else ""


class ArrayFile(ABC):
    """An open file of arrays."""

    form: ClassVar[str]

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of all arrays."""

    @abstractmethod
    def find(self, name: str) -> StoredArray | None:
        """Return the array of that name; None if there is none. Raises UserError for a broken
        one, and for what is no array."""

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def notes(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return notes for the plan on some arrays."""
        return ()

    def stored(
        self, name: str, held: Any, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> StoredArray:
        """Return an array of this file."""
        return StoredArray(name, shape, dtype, held, self.path, self.form)
