"""Names of classes that the spec gives, or an array of the file. Light."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hpc_dl.data.arrays.elements import MISSING, describe
from hpc_dl.data.arrays.stored import Array, StoredArray
from hpc_dl.data.faults import Faults
from hpc_dl.data.labels import Classes, note_numbering
from hpc_dl.errors import UserError, first_few
from hpc_dl.jobspec.sources.arrays import Arrays

_LATIN = "If they are in Latin-1: numpy.char.decode(y.astype('S'), 'latin-1')."


def read_names(source: Arrays, file: Mapping[str, StoredArray]) -> list[str]:
    """Return the names of the classes, in the order of their labels; none if they are not given.

    Raises UserError for names that are no list of different words.
    """
    names = source.class_names or []
    where = "data.class_names"
    if isinstance(names, str):
        where = f"{where}: '{names}'"
        array = file[names]
        text = describe(array.dtype) == "text"
        is_list = max(array.shape, default=1) == math.prod(array.shape)
        if not is_list or not (text or array.dtype.kind in "iu"):
            raise UserError(f"{where} is {array.shape} {array.dtype}, but has to be a list of text")
        names = (decode(array[()], where) if text else array[()]).flatten().tolist()
    found = [str(name).strip() for name in names]
    if twice := [name for name in dict.fromkeys(found) if found.count(name) > 1 or not name]:
        raise UserError(f"{where}: names have to differ, and not to be empty: {twice[0]!r}")
    return found


def rename(
    found: Classes, names: Sequence[str], *, words: bool, where: str = "data.class_names"
) -> Classes:
    """Return classes by their given names: of `words` in another order; of numbers the name at
    that place, or as many names as there are different labels.

    Raises UserError for labels that have no name.
    """
    if not words and len(names) == len(found.names):
        pairs = [f"{label} is '{name}'" for label, name in zip(found.names, names, strict=True)]
        kept = [note for note in found.notes if note not in note_numbering(found.names)]
        notes = (*kept, f"labels: {first_few(pairs, 10)}")
        return replace(found, names=tuple(names), notes=notes)
    order = list(names) if words else [str(number) for number in range(len(names))]
    if unknown := [repr(label) for label in found.names if label not in order]:
        raise UserError(
            f"{where}: {len(names)} names, and {len(found.names)} different labels, of "
            f"which {first_few(unknown)} has none"
        )
    number = np.array([order.index(label) for label in found.names])
    return Classes({split: number[it] for split, it in found.labels.items()}, tuple(names))


def rename_enumerated(found: Classes, dtype: np.dtype[Any]) -> Classes:
    """Return classes by the names that HDF5 has for the numbers of a type, if it has some."""
    metadata: Mapping[str, Any] = dtype.metadata or {}
    named = {str(number): name for name, number in metadata.get("enum", {}).items()}
    if not named:
        return found
    return rename(found, [named.get(label, label) for label in found.names], words=False)


def decode(array: Array, where: str) -> Array:
    """Decode words, which files have as bytes. Raises UserError for what are no words in UTF-8."""
    words = array.flatten().tolist()
    if not set(map(type, words)) <= {str, bytes}:
        _refuse_missing(words, where)
        raise UserError(
            f"{where} holds Python objects",
            hint="Number the classes from 0: numpy.unique(y, return_inverse=True).",
        )
    texts = {word: _to_text(word) for word in set(words)}  # there are few, of many examples
    broken = {word for word, text in texts.items() if text is None}
    if broken:
        faults = Faults(where)
        at = [place for place, word in enumerate(words) if word in broken]
        what = f"{len(at)} of {len(words)} words are not in UTF-8, like {words[at[0]]!r}, at"
        faults.add(what, at, _LATIN)
        faults.refuse()
    return np.array([texts[word] for word in words], dtype=np.str_).reshape(array.shape)


def _refuse_missing(words: Sequence[Any], where: str) -> None:
    """Raise UserError for None and NaN among words, with their count and places."""
    missing = [place for place, word in enumerate(words) if word is None or str(word) in MISSING]
    faults = Faults(where)
    what = (
        f"{len(missing)} of {len(words)} words are missing, like {words[(missing or [0])[0]]}, at"
    )
    faults.add(what, missing, "Leave those examples out: keep = pandas.notna(y).")
    faults.refuse()


def _to_text(word: str | bytes) -> str | None:
    """Return a word as text; None if it is not in UTF-8."""
    try:
        return word.decode() if isinstance(word, bytes) else word
    except UnicodeDecodeError:
        return None
