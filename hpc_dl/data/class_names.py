"""Names of classes. Light."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence


def alike(classes: Iterable[str], what: str = "classes") -> tuple[str, ...]:
    """Notes on classes whose names differ in case, spaces or the encoding of letters alone."""
    groups: dict[str, list[str]] = {}
    for name in classes:
        key = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        groups.setdefault(key, []).append(name)
    return tuple(
        f"{what} {', '.join(map(repr, names))} are several, though their names are nearly the same"
        for names in groups.values()
        if len(names) > 1
    )


def in_order(classes: Sequence[str]) -> tuple[str, ...]:
    """A note on classes that are numbers, but stand in the order of words."""
    numbers = [int(name) for name in classes if name.isdecimal()]
    if len(numbers) < len(classes) or numbers == list(range(len(numbers))):
        return ()
    place = next(place for place, number in enumerate(numbers) if place != number)
    return (
        f"classes are known by their names: the `label` {place} that is predicted is "
        f"class '{classes[place]}'",
    )
