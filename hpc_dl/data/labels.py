"""Classes of labels that are numbers, and notes for the plan on classes and targets. Light."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpc_dl.data.faults import Faults
from hpc_dl.errors import UserError, first_few

if TYPE_CHECKING:
    from hpc_dl.data.splits.holdout import Array

UNLABELLED = (2**8 - 1, 2**16 - 1, 2**32 - 1, 2**64 - 1)
"""Labels that mark examples without one: -1 in an unsigned type."""


@dataclass(frozen=True)
class Classes:
    """The labels of each split, (N,) int64 from 0, and the names of the classes."""

    labels: dict[str, Array]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """How labels were converted that do not count from 0 without gaps."""


def number_classes(given: Mapping[str, Array], places: Mapping[str, str]) -> Classes:
    """Number the different labels, whole numbers (N,) by split: a class is named by its label.

    `places` says where the labels of a split are from. Raises UserError for labels that mark an
    example without one, such as -1.
    """
    import numpy as np

    every = [np.unique(labels) for labels in given.values()]
    values = sorted({value for split in every for value in split.tolist()})
    if odd := find_unlabelled(values):
        _refuse_unlabelled(odd, given, places)
    classes = tuple(str(int(value)) for value in values)
    if values == list(range(len(values))):
        return Classes({name: labels.astype(np.int64) for name, labels in given.items()}, classes)
    order = np.array(values, dtype=np.result_type(*every))
    numbers = {name: np.searchsorted(order, labels) for name, labels in given.items()}
    return Classes(numbers, classes, note_numbering(classes))


def note_numbering(classes: Sequence[str]) -> tuple[str, ...]:
    """Note how classes are called by labels that do not count from 0 without gaps."""
    note = f"labels have gaps or do not count from 0: the classes are {_listed(classes)}"
    return (note, *note_unordered_numbers(classes))


def find_unlabelled(values: Sequence[int]) -> list[int]:
    """Return which labels hardly are classes: negative ones, and -1 in an unsigned type."""
    if values == [-1, 1]:
        return []
    unsigned = [it for it in UNLABELLED if it in values and it - 1 not in values]
    black_and_white = len(values) < 3 and unsigned == [255]
    return [it for it in values if it < 0] + (unsigned if not black_and_white else [])


def _refuse_unlabelled(
    odd: Sequence[int], given: Mapping[str, Array], places: Mapping[str, str]
) -> None:
    """Raise UserError for labels that mark examples without one, with their counts."""
    hint = "Number the classes from 0: numpy.unique(y, return_inverse=True)."
    if len(odd) == 1:
        keep = f"keep = y != {int(odd[0])}; x, y = x[keep], y[keep]"
        hint = f"If it marks examples without a label, leave these out: {keep}. {hint}"
    for name, labels in given.items():
        faults = Faults(places[name])
        for value in odd:
            at = (labels == value).nonzero()[0].tolist()
            shown = f"label {int(value)} of {len(at)} of {len(labels)} examples is no class"
            faults.add(shown, at, hint)
        faults.refuse()


def _listed(classes: Sequence[str]) -> str:
    return first_few((f"'{name}'" for name in classes), 10)


def note_similar_names(classes: Iterable[str], what: str = "classes") -> tuple[str, ...]:
    """Note classes whose names differ only in case, spaces or the encoding of letters."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        key = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        groups.setdefault(key, []).append(name)
    return tuple(
        f"{what} {', '.join(map(repr, names))} are several, though their names are nearly the same"
        for names in groups.values()
        if len(names) > 1
    )


def note_unordered_numbers(classes: Sequence[str]) -> tuple[str, ...]:
    """Note classes whose names are numbers, but in alphabetical order."""
    numbers = [int(name) for name in classes if name.removeprefix("-").isdecimal()]
    if len(numbers) < len(classes) or numbers == list(range(len(numbers))):
        return ()
    place = next(place for place, number in enumerate(numbers) if place != number)
    return (
        f"classes are known by their names: the `label` {place} that is predicted is "
        f"class '{classes[place]}'",
    )


def note_constant_targets(train: Array, names: Sequence[str], where: str) -> list[str]:
    """Note targets, of (N, targets), that are the same in all training examples.

    Raises UserError where all are: nothing is left to learn.
    """
    columns = train.reshape(len(train), -1)
    same = [name for name, it in zip(names, columns.T, strict=True) if (it == it[0]).all()]
    if len(same) == len(names):
        raise UserError(
            f"{where}: '{same[0]}' is {columns[0, 0]:g} in all training examples: there is "
            "nothing to predict"
        )
    return [f"target '{name}' is the same in all training examples" for name in same]
