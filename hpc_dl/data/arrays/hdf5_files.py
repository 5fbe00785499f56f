"""HDF5 files: how they are opened, and what their headers say of an array. Light."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.errors import UserError

if TYPE_CHECKING:
    import h5py

SLOW = 8
"""How many times the bytes of an example may be decompressed to read it, before it is noted."""
CACHE = 2**28
"""The most bytes of decompressed chunks that a process keeps."""


def open_file(path: Path, **options: Any) -> h5py.File:
    """Open a file to read; that a file system has no locks is no obstacle."""
    import h5py

    return h5py.File(path, "r", locking="best-effort", **options)


def open_to_stream(path: Path, name: str) -> h5py.Dataset:
    """Open an array of which rows are read in any order.

    The chunks that hold a row are kept if they are compressed. Else none is, for the library would
    read whole chunks to keep them.
    """
    with open_file(path) as file:
        array = file[name]
        kept = min(CACHE, math.prod(_touched(array)) * array.dtype.itemsize)
        kept = kept if _filters(array) else 0
    return open_file(path, rdcc_nbytes=kept)[name]


def refuse_unreadable(array: h5py.Dataset, where: str) -> None:
    """Raise UserError for an array whose filter is not installed, or whose values are in files that
    are not there: the library would read those as zeros."""
    import h5py

    for code, name in _filters(array):
        if not h5py.h5z.filter_avail(code):
            raise UserError(
                f"{where} is compressed by filter {code} ({name}), which is not installed",
                hint="Install hdf5plugin, or write the file anew: h5repack -f GZIP=4.",
            )
    for path in other_files(array).values():
        if not path.is_file():
            raise UserError(
                f"{where} has values in {path}, which is not there: they would be read as zeros",
                hint="Put the file there, or copy the array into one file: h5repack.",
            )


def other_files(array: h5py.Dataset) -> dict[str, Path]:
    """Return the files that hold values of an array besides the one that it is in, by the names
    that it has for them."""
    folder = Path(array.file.filename).parent
    names = [name for name, _, _ in array.external or ()]
    if array.is_virtual:
        names += [it.file_name for it in array.virtual_sources() if it.file_name != "."]
    return {name: folder / name for name in names}


def note_slow_chunks(array: h5py.Dataset, where: str) -> Iterator[str]:
    """Note compressed chunks of many examples: to read one, all of them are decompressed."""
    if not _filters(array):
        return
    times = math.prod(_touched(array)) / max(1, math.prod(array.shape[1:]))
    if times >= SLOW:
        one = "x".join(map(str, (1, *array.shape[1:])))
        yield (
            f"{where} is compressed in chunks of {array.chunks}, so that {times:.0f} times as much "
            "is decompressed as is read in random order. Faster: h5repack -f NONE, or "
            f"-l {array.name.strip('/')}:CHUNK={one}"
        )


def _touched(array: h5py.Dataset) -> tuple[int, ...]:
    """Return the shape of all chunks that hold a row."""
    chunks = array.chunks or (1, *array.shape[1:])
    sides = zip(array.shape[1:], chunks[1:], strict=True)
    return (chunks[0], *(-(-size // chunk) * chunk for size, chunk in sides))


def _filters(array: h5py.Dataset) -> list[tuple[int, str]]:
    """Return the codes and the names of the filters that each chunk goes through."""
    created = array.id.get_create_plist()
    every = [created.get_filter(number) for number in range(created.get_nfilters())]
    return [(code, name.decode(errors="replace")) for code, _, _, name in every]
