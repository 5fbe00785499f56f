"""Forms of files, known by their first bytes: what a file is that is taken for another."""

from __future__ import annotations

from pathlib import Path

from hpc_dl.data.arrays.stored import KEY
from hpc_dl.data.faults import reading
from hpc_dl.errors import UserError

_SAVEZ = "Save its arrays by numpy.savez('data.npz', x=x, y=y), for data.name: npz."
_BEGINNINGS = {
    b"PK\x03\x04": ("npz", "a zip file, as npz is", "For npz: data.name: npz."),
    b"\x89HDF\r\n\x1a\n": ("hdf5", "an HDF5 file", "data.name: hdf5."),
    b"MATLAB 7.3": ("hdf5", "an HDF5 file of MATLAB's", "data.name: hdf5."),
    b"MATLAB 5.0": (
        "mat",
        "a file of MATLAB's before version 7.3",
        "Read it by scipy.io.loadmat. " + _SAVEZ,
    ),
    b"\x93NUMPY": ("npy", "a single array", _SAVEZ),
    b"PAR1": ("parquet", "a Parquet file", "data.name: parquet."),
    b"\x80\x02": ("pickle", "a pickle", _SAVEZ),
    b"\x80\x03": ("pickle", "a pickle", _SAVEZ),
    b"\x80\x04": ("pickle", "a pickle", _SAVEZ),
    b"\x80\x05": ("pickle", "a pickle", _SAVEZ),
    b"\x1f\x8b": ("gzip", "compressed by gzip", "Unpack it: gunzip."),
    b"BZh": ("bzip2", "compressed by bzip2", "Unpack it: bunzip2."),
    b"CDF": ("netcdf", "a netCDF file of the classic form", "Make it HDF5: nccopy -k nc4 OLD NEW."),
    b"version https://git-lfs": ("lfs", "a pointer of Git LFS", "Fetch the file: git lfs pull."),
    b"<": ("html", "a web page or XML", "Was the download refused? Fetch the file again."),
}
"""The form, how it is told, and what to do, by the first bytes of a file."""


def refuse_other(path: Path, wanted: str) -> None:
    """Raise UserError for a file of another form than is `wanted`, npz or hdf5, if it is known."""
    with reading(KEY, path, wanted), path.open("rb") as file:
        first = file.read(64)
    if not first:
        raise UserError(f"{KEY}: {path} is empty")
    for beginning, (form, told, hint) in _BEGINNINGS.items():
        if first.startswith(beginning) and form != wanted:
            raise UserError(f"{KEY}: {path} is no {wanted}, but {told}", hint=hint)
