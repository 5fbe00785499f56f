"""Refusal of files of another form than npz or HDF5, recognised by their first bytes."""

from __future__ import annotations

from pathlib import Path

from hpc_dl.data.arrays.stored import KEY
from hpc_dl.data.faults import reading
from hpc_dl.data.file_forms import HEAD, find_other_form
from hpc_dl.errors import UserError

_SAVEZ = "Save its arrays by numpy.savez('data.npz', x=x, y=y), for data.name: npz."
_BEGINNINGS = {
    b"PK\x03\x04": ("npz", "a zip file, as npz is", "Give data.name: npz."),
    b"\x89HDF\r\n\x1a\n": ("hdf5", "an HDF5 file", "Give data.name: hdf5."),
    b"MATLAB 7.3": ("hdf5", "an HDF5 file of MATLAB's", "Give data.name: hdf5."),
    b"MATLAB 5.0": (
        "mat",
        "a file of MATLAB's before version 7.3",
        "Read it by scipy.io.loadmat. " + _SAVEZ,
    ),
    b"\x93NUMPY": ("npy", "a single array", _SAVEZ),
    b"\x80": ("pickle", "a pickle", _SAVEZ),
    b"\x1f\x8b": ("gzip", "compressed by gzip", "Unpack it: gunzip."),
    b"BZh": ("bzip2", "compressed by bzip2", "Unpack it: bunzip2."),
    b"CDF": ("netcdf", "a netCDF file of the classic form", "Make it HDF5: nccopy -k nc4 OLD NEW."),
}
"""First bytes of a file → its form, its name in messages, and what to do."""


def _has_hdf5(path: Path) -> bool:
    import h5py

    return bool(h5py.is_hdf5(path))


def refuse_other(path: Path, wanted: str) -> None:
    """Raise UserError for a file of another form than is `wanted`, npz or hdf5, if it is known."""
    with reading(KEY, path, wanted), path.open("rb") as file:
        first = file.read(HEAD)
    if not first:
        raise UserError(f"{KEY}: {path} is empty")
    if wanted == "hdf5" and _has_hdf5(path):  # it may begin after bytes of any kind
        return
    for beginning, (form, name, hint) in _BEGINNINGS.items():
        if first.startswith(beginning):
            if form != wanted:
                raise UserError(f"{KEY}: {path} is no {wanted}, but {name}", hint=hint)
            return
    if other := find_other_form(first):
        raise UserError(f"{KEY}: {path} is no {wanted}, but {other[0]}", hint=other[1])
    if wanted == "npz" and not first.startswith(b"PK"):
        text = " Tables of text: data.name: csv." if first.isascii() else ""
        raise UserError(f"{KEY}: {path} is no npz", hint=f"{_SAVEZ}{text}")
