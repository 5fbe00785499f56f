"""Labels in arrays as classes from 0: converted where that is clear, else refused. Light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hpc_dl.data.arrays.class_names import decode, rename
from hpc_dl.data.arrays.elements import MISSING
from hpc_dl.data.arrays.stored import Array
from hpc_dl.data.exact import MOST_INTEGER
from hpc_dl.data.faults import Faults
from hpc_dl.data.labels import (
    Classes,
    note_similar_names,
    note_unordered_numbers,
    number_classes,
)
from hpc_dl.errors import UserError, first_few

_REGRESS = "To predict numbers: data.task: regress."
_NO_NAMES = "Labels name classes, not examples: is that another array?"


def read(
    given: Mapping[str, Array], places: Mapping[str, str], names: Sequence[str] = ()
) -> Classes:
    """Convert labels to classes, as `convert` does, and give them `names`, in order.

    Raises UserError for what are hardly classes, and for a class that is not trained on.
    """
    where, words = places["train"], given["train"].dtype.kind in "OSU"
    flat, notes = _flat(given, places, _REGRESS)
    _refuse_as_many_as_examples(flat, where, _NO_NAMES if words else _REGRESS)
    found = _numbered(flat, places)
    found = rename(found, names, words=words) if names else found
    _refuse_untrained(found, where, named=bool(names))
    return replace(found, notes=(*notes, *found.notes))


def convert(given: Mapping[str, Array], places: Mapping[str, str], regress: str) -> Classes:
    """Convert labels to classes: whole numbers, booleans, words, or rows with a single 1.

    `places` says where the labels of a split are from, `regress` what to do where they are numbers
    to predict. Raises UserError for other labels.
    """
    flat, notes = _flat(given, places, regress)
    found = _numbered(flat, places)
    return replace(found, notes=(*notes, *found.notes))


def _flat(
    given: Mapping[str, Array], places: Mapping[str, str], regress: str
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Return one label for each example of each split, (N,), and notes on the conversion.

    Raises UserError with the faults of all splits.
    """
    found, faults = {}, Faults(places["train"])
    for name, array in given.items():
        with faults.collect():
            found[name] = _one_each(array, places[name], regress)
    with faults.collect():
        _refuse_other_rows(given, places)
    faults.refuse()
    notes = dict.fromkeys(note for _, note in found.values() if note)
    return {name: labels for name, (labels, _) in found.items()}, tuple(notes)


def _refuse_other_rows(given: Mapping[str, Array], places: Mapping[str, str]) -> None:
    """Raise UserError for rows (N, K) that have more columns in one split than in another."""
    widths = {places[name]: it.shape[1] for name, it in given.items() if it.ndim == 2}
    if len(set(widths.values())) > 1:
        shown = first_few(f"{where} has {width}" for where, width in widths.items())
        raise UserError(
            f"rows of labels have to have one column for each class in all splits: {shown}",
            hint="Make them of all splits together.",
        )


def _numbered(flat: Mapping[str, Array], places: Mapping[str, str]) -> Classes:
    """Return the classes of labels (N,)."""
    kinds = {"word" if it.dtype.kind == "U" else "number" for it in flat.values()}
    if len(kinds) > 1:
        where = places["train"]
        raise UserError(f"{where}: labels are words in one split, and numbers in another")
    if kinds == {"word"}:
        return _of_words(flat)
    if all(it.dtype.kind == "b" for it in flat.values()):
        numbers = {split: it.astype(np.int64) for split, it in flat.items()}
        return Classes(numbers, ("False", "True"), ("labels are True and False, as 1 and 0",))
    return number_classes(flat, places)


def _one_each(array: Array, where: str, regress: str) -> tuple[Array, str]:
    """Return one label for each example, (N,), and a note on the conversion."""
    if array.dtype.kind in "OS":
        array = decode(array, where)
    if array.ndim == 1 and array.dtype.kind == "f":
        _refuse_no_whole_numbers(array, where, regress)
        return array.astype(np.int64), f"labels are whole numbers as {array.dtype}"
    if array.ndim == 1 and array.dtype.kind in "iubU":
        if array.dtype.kind == "U":
            _refuse_missing_words(array, where)
        return array, ""
    if array.ndim == 2 and array.dtype.kind in "iufb":
        _refuse_no_one_hot(array, where, regress)
        return array.argmax(axis=1), "labels are rows with a single 1, whose place is the class"
    raise UserError(
        f"{where} is {array.shape} {array.dtype}, but classes are one whole number or word for "
        "each example",
    )


def _refuse_no_one_hot(rows: Array, where: str, regress: str) -> None:
    """Raise UserError for rows (N, K) that are no single 1 among zeros, saying what they are."""
    if absent := np.flatnonzero(np.isnan(rows).any(axis=1)).tolist():
        faults = Faults(where)
        faults.add(f"{len(absent)} of {len(rows)} rows have nan", absent, "Leave those out.")
        faults.refuse()
    ones = (rows != 0).sum(axis=1)
    if ((rows == 0) | (rows == 1)).all():
        faults = Faults(f"{where} is {rows.shape}, and a row has to have a single 1")
        several = "An example has one class: labels of several at once are not supported."
        faults.add("rows with several", np.flatnonzero(ones > 1).tolist(), several)
        faults.add("rows without any", np.flatnonzero(ones == 0).tolist(), "Leave those out.")
        return faults.refuse()
    shown = f"{where} is {rows.shape} {rows.dtype}"
    largest = "The class of the largest number in a row: y.argmax(axis=1)."
    if (ones == 1).all():
        raise UserError(f"{shown}, with a single number in each row that is not 1", hint=largest)
    if (rows >= 0).all() and np.allclose(rows.sum(axis=1), 1, atol=1e-3):
        raise UserError(f"{shown}: shares of classes, but an example has one class", hint=largest)
    raise UserError(
        f"{shown}, but classes are one whole number or word for each example",
        hint=f"{regress.replace('numbers', f'{rows.shape[1]} numbers')} {largest}",
    )


def _refuse_missing_words(labels: Array, where: str) -> None:
    """Raise UserError for labels that are empty, or that NumPy has written for missing ones."""
    faults, found = Faults(where), np.char.strip(labels)
    for word in ("", *MISSING):
        at = np.flatnonzero(found == word).tolist()
        what = "empty" if not word else f"'{word}', which is written for missing ones"
        hint = f"Leave those out: keep = y != {word!r}; x, y = x[keep], y[keep]."
        faults.add(f"{len(at)} of {len(labels)} labels are {what}, of examples", at, hint)
    faults.refuse()


def _of_words(flat: Mapping[str, Array]) -> Classes:
    names = np.unique(np.concatenate(list(flat.values())))
    numbers = {split: np.searchsorted(names, labels) for split, labels in flat.items()}
    classes = tuple(names.tolist())
    note = "labels are words, and classes in alphabetical order"
    return Classes(
        numbers, classes, (note, *note_similar_names(classes), *note_unordered_numbers(classes))
    )


def _refuse_no_whole_numbers(labels: Array, where: str, regress: str) -> None:
    """Raise UserError for labels that are no whole numbers, with counts and places."""
    if labels.dtype.kind != "f":
        return
    faults, total = Faults(where), len(labels)
    values = labels.astype(np.float64)
    missing = ~np.isfinite(values)
    whole = np.where(missing, 0, values)
    broken = (whole % 1 != 0) | (np.abs(whole) > MOST_INTEGER)
    if missing.any():
        faults.add(
            f"{missing.sum()} of {total} labels are nan or infinite, of examples",
            np.flatnonzero(missing).tolist(),
            "Leave those out: keep = numpy.isfinite(y); x, y = x[keep], y[keep].",
        )
    if broken.any():
        faults.add(
            f"{broken.sum()} of {total} labels are no whole numbers, like "
            f"{float(labels[broken][0])!r}, of examples",
            np.flatnonzero(broken).tolist(),
            regress,
        )
    faults.refuse()


def _refuse_as_many_as_examples(flat: Mapping[str, Array], where: str, hint: str) -> None:
    """Raise UserError for labels that are numbers to predict, or names of the examples."""
    there = sum(map(len, flat.values()))
    different = len(np.unique(np.concatenate([np.unique(it) for it in flat.values()])))
    if different > max(there / 2, 2):
        raise UserError(
            f"{where} has {different} different labels for {there} examples: hardly classes",
            hint=hint,
        )


def _refuse_untrained(found: Classes, where: str, *, named: bool) -> None:
    counts = np.bincount(found.labels["train"], minlength=len(found.names))
    if absent := [name for name, n in zip(found.names, counts, strict=True) if not n]:
        shown = first_few(f"'{name}'" for name in absent)
        places = "validation, test and data.class_names" if named else "validation and test"
        raise UserError(
            f"{where} has no example of {shown} to train on",
            hint=f"Add examples to train on, or leave these out of {places}.",
        )
