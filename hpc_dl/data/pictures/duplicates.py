"""Pictures that are there several times, byte for byte: notes for the plan. Light."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

from hpc_dl.data.class_folders.walk import shown

MOST_FILES = 10_000
"""Of more pictures none are compared, as the fingerprint reads no more."""
MOST_BYTES = 2**28
"""Pictures are compared if those that have the size of another take no more bytes than this."""

Key = TypeVar("Key", bound=Hashable)


class Place(NamedTuple):
    """A picture, its split and the number of its class."""

    path: Path
    split: str
    label: int


def note_duplicates(pictures: Mapping[str, list[tuple[Path, int]]], root: Path) -> tuple[str, ...]:
    """Note pictures that are in several splits, in several classes, or in one split to divide."""
    every = [Place(path, split, n) for split, them in pictures.items() for path, n in them]
    same = _find(every) if len(every) <= MOST_FILES else []
    leaked = [it for it in same if len({place.split for place in it}) > 1]
    confused = [it for it in same if len({place.label for place in it}) > 1]
    others = [it for it in same if len({(place.split, place.label) for place in it}) == 1]
    alone = len(pictures) == len(("train", "validation", "test"))
    sentences = {
        "in several splits, byte for byte the same: what is measured on them is too good": leaked,
        "in several classes, byte for byte the same": confused,
        "there several times, byte for byte the same, of which one may be drawn for the test": []
        if alone
        else others,
    }
    return tuple(
        f"{len(them)} {'pictures are' if len(them) > 1 else 'picture is'} {what}, such as "
        + " and ".join(shown(place.path, root) for place in _differing(them[0]))
        + f" ({sum(map(len, them))} files)"
        for what, them in sentences.items()
        if them
    )


def _find(every: Sequence[Place]) -> list[list[Place]]:
    """Return the groups of pictures that have the same bytes."""
    with ThreadPoolExecutor() as pool:  # a network's disk answers many at a time
        by_size = _grouped(every, pool.map(_size, every))
        alike = [place for size, them in by_size.items() if size for place in them]
        if sum(size * len(them) for size, them in by_size.items()) > MOST_BYTES:
            return []
        same = _grouped(alike, pool.map(_digest, alike))
        return [them for digest, them in same.items() if digest]


def _grouped(every: Iterable[Place], keys: Iterable[Key]) -> dict[Key, list[Place]]:
    """Return the pictures by key, as far as several have the same one."""
    groups: dict[Key, list[Place]] = defaultdict(list)
    for place, key in zip(every, keys, strict=True):
        groups[key].append(place)
    return {key: them for key, them in groups.items() if len(them) > 1}


def _size(place: Place) -> int:
    return _or_nothing(lambda: place.path.stat().st_size, 0)


def _digest(place: Place) -> bytes:
    return _or_nothing(lambda: hashlib.blake2b(place.path.read_bytes()).digest(), b"")


def _or_nothing(read: Callable[[], Key], nothing: Key) -> Key:
    """Return what is read; nothing of a file that is gone, which decoding will report."""
    try:
        return read()
    except OSError:
        return nothing


def _differing(them: Sequence[Place]) -> tuple[Place, Place]:
    """Return the first picture, and one of another split or class, if there is any."""
    first = them[0]
    return first, max(them[1:], key=lambda it: (it.split != first.split, it.label != first.label))
