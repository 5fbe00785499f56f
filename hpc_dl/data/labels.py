"""Notes for the plan on the names of classes, and on targets of regression. Light."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hpc_dl.errors import UserError

if TYPE_CHECKING:
    from hpc_dl.data.holdout import Array


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
    numbers = [int(name) for name in classes if name.isdecimal()]
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
