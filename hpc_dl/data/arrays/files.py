"""Files of arrays: which arrays a source names in them, each read when it is indexed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from hpc_dl.data.arrays import forms
from hpc_dl.data.arrays.stored import KEY, ArrayFile, StoredArray
from hpc_dl.data.faults import Faults, regular_file
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.sources.arrays import Arrays, Npz

SHOWN = 8
"""Names of arrays that are listed."""
SPARSE = {"data", "indices", "indptr", "shape"}
"""Arrays of a sparse matrix in SciPy's files."""


def array_names(source: Arrays) -> dict[str, tuple[str, str]]:
    """Return the names of the arrays of each split: its examples, and their labels.

    Raises UserError for half a pair, and for an array that is named twice.
    """
    given = {"train": (source.inputs, source.labels)}
    for split in ("validation", "test"):
        inputs, labels = getattr(source, f"{split}_inputs"), getattr(source, f"{split}_labels")
        if inputs and labels:
            given[split] = (inputs, labels)
        elif inputs or labels:
            here, other = ("inputs", "labels") if inputs else ("labels", "inputs")
            raise UserError(
                f"data.{split}_{here}: there is no data.{split}_{other}, and a {split} needs both",
                hint=f"Give data.{split}_{other} too, or neither for a share of the examples.",
            )
    named = [name for pair in given.values() for name in pair]
    more = [source.groups, source.class_names]
    every = [it.strip("/") for it in [*named, *more] if isinstance(it, str)]
    if twice := next((name for name in every if every.count(name) > 1), None):
        raise UserError(f"{KEY}: array '{twice}' is named for two different things")
    return given


def place(source: Arrays, split: str, key: Literal["inputs", "labels"]) -> str:
    """Return the option that names an array, and its name."""
    name = array_names(source)[split][key == "labels"]
    return f"data.{'' if split == 'train' else f'{split}_'}{key}: '{name}'"


@contextlib.contextmanager
def open_arrays(source: Arrays) -> Iterator[Mapping[str, StoredArray]]:
    """Open the arrays that a source names; each is read when it is indexed."""
    faults, found = Faults(f"{KEY}: {source.path}"), {}
    with _open(source) as file:
        for name, option in _named(source).items():
            with faults.collect():
                found[name] = _find(file, name, option)
        faults.refuse()
        yield found


def note_arrays(source: Arrays) -> tuple[str, ...]:
    """Note the arrays of the file that no option names, and how the others were written."""
    named = [name.strip("/") for name in _named(source)]
    with _open(source) as file:
        left = [name for name in file.names() if name.strip("/") not in named]
        notes = file.notes(named)
    if not left:
        return notes
    unused = [split for split in ("validation", "test") if not getattr(source, f"{split}_inputs")]
    hints = [
        f"; data.{split}_inputs and data.{split}_labels name a {split}"
        for split in unused
        if split == "test" or any("val" in name.lower() for name in left)
    ]
    return (f"arrays that are not read: {first_few(left, SHOWN)}{''.join(hints)}", *notes)


def _named(source: Arrays) -> dict[str, str]:
    """Return the names of all arrays that a source reads, each with its option."""
    found: dict[str, str] = {}
    for split, (inputs, labels) in array_names(source).items():
        before = "" if split == "train" else f"{split}_"
        found |= {inputs: f"data.{before}inputs", labels: f"data.{before}labels"}
    if isinstance(source.class_names, str):
        found[source.class_names] = "data.class_names"
    return found | ({source.groups: "data.groups"} if source.groups else {})


@contextlib.contextmanager
def _open(source: Arrays) -> Iterator[ArrayFile]:
    path = regular_file(KEY, source.path)
    forms.refuse_other(path, source.name)
    if isinstance(source, Npz):
        from hpc_dl.data.arrays import npz

        file: ArrayFile = npz.NpzFile(path)
    else:
        from hpc_dl.data.arrays import hdf5

        file = hdf5.Hdf5File(path)
    try:
        yield file
    finally:
        file.close()


def _find(file: ArrayFile, name: str, option: str) -> StoredArray:
    """Return an array, not read yet. Raises UserError where there is none, or only a group."""
    found = file.find(name)
    if found is None:
        raise _absent(name, option, file.names(), file.path)
    return found


def _absent(name: str, option: str, there: list[str], path: Path) -> UserError:
    near = get_close_matches(name, there, 3)
    ways = [f"Did you mean {' or '.join(near)}?"] if near else []
    if not near:
        ways = [f"It has: {first_few(there, SHOWN)}." if there else "It has none."]
    if set(there) >= SPARSE:
        ways.append("That is a sparse matrix: save x.toarray().")
    return UserError(
        f"{option}: {path} has no array '{name}'",
        hint=" ".join(ways),
    )
