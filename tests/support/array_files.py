"""Files of arrays for tests: functions that write one into a folder, and return the options."""

import h5py
import numpy as np

RNG = np.random.default_rng(0)
LABELS = np.arange(40) % 4
TABLE = RNG.standard_normal((40, 3))
IMAGES = RNG.random((40, 8, 8))
WORDS = np.array(["cat", "dog", "ant", "bee"])


def named(folder, name, file, options=None):
    """Return options that name a file and its arrays `x` and `y`."""
    given = {"name": name, "path": str(folder / file), "inputs": "x", "labels": "y"}
    return {**given, **(options or {})}


def npz(options=None, **arrays):
    """Return what writes an npz of a table with classes, and other arrays in their place."""

    def make(folder):
        np.savez(folder / "a.npz", **{"x": TABLE, "y": LABELS, **arrays})
        return named(folder, "npz", "a.npz", options)

    return make


def hdf5(change=None, options=None, file="a.h5", **arrays):
    """Return what writes HDF5 likewise; `change` changes the open file."""

    def make(folder):
        with h5py.File(folder / file, "w") as opened:
            for name, array in {"x": TABLE, "y": LABELS, **arrays}.items():
                opened[name] = array
            if change:
                change(opened)
        return named(folder, "hdf5", file, options)

    return make
