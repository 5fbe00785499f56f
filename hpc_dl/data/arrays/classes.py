"""Labels in arrays as classes from 0: converted where that is clear, else refused. Light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpc_dl.data.labels import note_similar_names, note_unordered_numbers
from hpc_dl.errors import UserError, first_few

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

_NUMBERS = "Number the classes from 0: numpy.unique(y, return_inverse=True)."
_REGRESS = "To predict numbers: data.task: regress."


@dataclass(frozen=True)
class Classes:
    """The labels of each split, (N,) int64, and the names of the classes."""

    labels: dict[str, Array]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """How labels were converted that were no plain numbers."""


def read(given: Mapping[str, Array], places: Mapping[str, str]) -> Classes:
    """Convert labels to classes: whole numbers from 0, booleans, words, or rows with a single 1.

    `places` says where the labels of a split are from. Raises UserError for other labels, and for
    a class that is not trained on.
    """
    notes = []
    flat: dict[str, Array] = {}
    for split, array in given.items():
        flat[split], note = _one_each(array, places[split])
        notes.append(note)
    where = places["train"]
    kinds = {"word" if it.dtype.kind == "U" else "number" for it in flat.values()}
    if len(kinds) > 1:
        raise UserError(f"{where}: labels are words in one split, and numbers in another")
    if kinds == {"word"}:
        found = _of_words(flat, places)
    elif all(it.dtype.kind == "b" for it in flat.values()):
        numbers = {split: it.astype(np.int64) for split, it in flat.items()}
        found = Classes(numbers, ("False", "True"), ("labels are True and False, as 1 and 0",))
    else:
        found = _of_numbers(flat, places)
    _refuse_as_many_as_examples(found, where)
    _refuse_untrained(found, where)
    return Classes(found.labels, found.names, (*filter(None, dict.fromkeys(notes)), *found.notes))


def _one_each(array: Array, where: str) -> tuple[Array, str]:
    """Return one label for each example, (N,), and a note on the conversion."""
    if array.dtype.kind in "OS":
        array = _decoded(array, where)
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0], ""
    if array.ndim == 2 and array.dtype.kind in "iufb" and _is_one_hot(array):
        return array.argmax(axis=1), "labels are rows with a single 1, whose place is the class"
    if array.ndim != 1 or array.dtype.kind not in "iufbU":
        raise UserError(
            f"{where} is {array.shape} {array.dtype}, but classes are one integer for each "
            "example, from 0",
            hint=_REGRESS,
        )
    return array, ""


def _decoded(array: Array, where: str) -> Array:
    """Decode words, which files have as bytes."""
    try:
        words = [it.decode() if isinstance(it, bytes) else it for it in array.flatten().tolist()]
    except UnicodeDecodeError as error:
        raise UserError(f"{where} has a word that is not in UTF-8: {error}") from None
    if not all(isinstance(it, str) for it in words):
        raise UserError(f"{where} holds Python objects", hint=_NUMBERS)
    return np.array(words, dtype=np.str_).reshape(array.shape)


def _is_one_hot(array: Array) -> bool:
    return bool(((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all())


def _of_words(flat: Mapping[str, Array], places: Mapping[str, str]) -> Classes:
    for split, labels in flat.items():
        if empty := np.flatnonzero(np.char.strip(labels) == "").tolist():
            raise UserError(f"{places[split]}: the label of example {empty[0]} is empty")
    names = np.unique(np.concatenate(list(flat.values())))
    numbers = {split: np.searchsorted(names, labels) for split, labels in flat.items()}
    classes = tuple(names.tolist())
    note = "labels are words, and classes in alphabetical order"
    return Classes(
        numbers, classes, (note, *note_similar_names(classes), *note_unordered_numbers(classes))
    )


def _of_numbers(flat: Mapping[str, Array], places: Mapping[str, str]) -> Classes:
    notes = []
    for split, labels in flat.items():
        _refuse_no_whole_number(labels, places[split])
        if labels.dtype.kind == "f":
            notes.append(f"labels are whole numbers as {labels.dtype}")
    last = max(int(labels.max()) for labels in flat.values())
    most = sum(map(len, flat.values()))
    if last >= most:
        where = places["train"]
        raise UserError(f"{where}: label {last}, with {most} examples in all", hint=_NUMBERS)
    numbers = {split: labels.astype(np.int64) for split, labels in flat.items()}
    return Classes(numbers, tuple(map(str, range(last + 1))), tuple(dict.fromkeys(notes)))


def _refuse_no_whole_number(labels: Array, where: str) -> None:
    """Raise UserError for the first label that is no whole number from 0."""
    if labels.dtype.kind == "f" and (odd := np.flatnonzero(labels % 1 != 0)).size:
        place = int(odd[0])
        raise UserError(
            f"{where}[{place}] is {labels[place]:g}, but classes are one integer for each "
            "example, from 0",
            hint=_REGRESS if np.isfinite(labels[place]) else "Leave the example out.",
        )
    if labels.min() < 0:
        signs = set(np.unique(labels)) == {-1, 1}
        raise UserError(
            f"{where}: label {int(labels.min())} of example {int(labels.argmin())}, but classes "
            "count from 0",
            hint="Make them 0 and 1: (y + 1) // 2." if signs else _NUMBERS,
        )


def _refuse_as_many_as_examples(found: Classes, where: str) -> None:
    """Raise UserError for labels that are numbers to predict, or names of the examples."""
    there = sum(map(len, found.labels.values()))
    different = len(np.unique(np.concatenate(list(found.labels.values()))))
    if different > max(there / 2, 2):
        raise UserError(
            f"{where} has {different} different labels for {there} examples: hardly classes",
            hint=_REGRESS,
        )


def _refuse_untrained(found: Classes, where: str) -> None:
    counts = np.bincount(found.labels["train"], minlength=len(found.names))
    if absent := [name for name, n in zip(found.names, counts, strict=True) if not n]:
        shown = first_few(f"'{name}'" for name in absent)
        raise UserError(f"{where} has no example of {shown} to train on", hint=_NUMBERS)
