"""Names of classes. Light."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


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
