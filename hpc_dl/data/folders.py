"""A user's own pictures on disk: which classes and splits a folder holds. Light."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.data.counts import Holdout, group_count, split_counts
from hpc_dl.errors import UserError
from hpc_dl.spec.data import DataFacts
from hpc_dl.spec.sources import ImageFolder

if TYPE_CHECKING:
    from hpc_dl.data.holdout import Array

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
FOLDERS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}
"""What the folder of a split may be called."""

Picture = tuple[Path, int]
"""A file and the number of its class."""


@dataclass(frozen=True)
class Found:
    """The pictures of each split; all under `train` where there are no folders of splits."""

    classes: tuple[str, ...]
    pictures: dict[str, list[Picture]]


def scan(source: ImageFolder) -> Found:
    """Look through the folder. Raises UserError where it is not one of pictures by class."""
    root = Path(source.root).expanduser()
    if not root.is_dir():
        raise UserError(f"data.root: there is no folder {root}", hint=_layout(root))
    splits = _splits(root)
    classes = _classes(splits["train"])
    pictures = {}
    for name, folder in splits.items():
        if differs := set(_classes(folder)) ^ set(classes):
            raise UserError(
                f"data.root: {folder} and {splits['train']} differ in their classes: "
                f"{', '.join(sorted(differs))}",
                hint="Every split needs a folder for each class.",
            )
        pictures[name] = [
            (path, number)
            for number, label in enumerate(classes)
            for path in _pictures(folder / label)
        ]
    return Found(classes, pictures)


def facts(source: ImageFolder, found: Found) -> DataFacts:
    """What a plan needs to know of the folder; what it does not divide, the spec's shares do."""
    there = {name: len(pictures) for name, pictures in found.pictures.items()}
    grouped = groups(source, found)
    sizes = split_counts(there, Holdout.of(source), grouped)
    shape, count = (source.channels, *source.size), group_count(grouped)
    return DataFacts("image", "classify", shape, found.classes, *sizes, groups=count)


def groups(source: ImageFolder, found: Found) -> Array | None:
    """Which training pictures are to stay together, (N,) int64, by their names; None if any may
    be parted. Raises UserError for a name that does not say."""
    if source.groups is None:
        return None
    from hpc_dl.data import holdout

    pattern, root = re.compile(source.groups), Path(source.root).expanduser()
    named = {
        name: [_group(pattern, path.relative_to(root)) for path, _ in pictures]
        for name, pictures in found.pictures.items()
    }
    for name in set(named) - {"train"}:
        holdout.refuse_shared(named["train"], named[name], name)
    return holdout.codes(named["train"])


def _group(pattern: re.Pattern[str], path: Path) -> str:
    match = pattern.search(path.as_posix())
    if match is None or match[1] is None:
        raise UserError(
            f"data.groups: '{pattern.pattern}' does not match {path}",
            hint="It is searched for in the path of each picture below data.root.",
        )
    return match[1]


def _splits(root: Path) -> dict[str, Path]:
    """The folders of the splits by name."""
    splits = {
        name: root / folder
        for name, called in FOLDERS.items()
        for folder in called
        if (root / folder).is_dir()
    }
    if splits and "train" not in splits:
        there = ", ".join(folder.name for folder in splits.values())
        raise UserError(f"data.root: {root} has {there} but no train", hint=_layout(root))
    return splits or {"train": root}


def _classes(folder: Path) -> tuple[str, ...]:
    with os.scandir(folder) as entries:
        names = sorted(it.name for it in entries if it.is_dir() and not it.name.startswith("."))
    if not names:
        raise UserError(f"data.root: {folder} has no folder for a class", hint=_layout(folder))
    return tuple(names)


def _pictures(folder: Path) -> list[Path]:
    """The pictures in a folder and those below, without asking the disk for more than names."""
    found = sorted(
        f"{place}/{file}"
        for place, _, files in os.walk(folder)
        for file in files
        if file.lower().endswith(SUFFIXES) and not file.startswith(".")
    )
    if not found:
        kinds = " ".join(SUFFIXES)
        raise UserError(f"data.root: class {folder} has no picture", hint=f"Known are {kinds}.")
    return [Path(path) for path in found]


def _layout(root: Path) -> str:
    return f"Pictures are looked for as {root}/CLASS/*.png or {root}/train/CLASS/*.png."
