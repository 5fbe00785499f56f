"""Folders of pictures: their classes, splits and files. Light."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.data.labels import note_similar_names, note_unordered_numbers
from hpc_dl.data.pictures import folder_checks, split_folders
from hpc_dl.data.pictures.folder_checks import RENAME, Walks
from hpc_dl.data.pictures.folder_walk import SUFFIXES, is_text, list_folder, walk
from hpc_dl.data.pictures.roots import no_class, refuse_no_folder
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.errors import UserError, first_few, printable
from hpc_dl.jobspec.data import DataFacts
from hpc_dl.jobspec.sources.image_folder import ImageFolder

if TYPE_CHECKING:
    from hpc_dl.data.splits.holdout import Array

Picture = tuple[Path, int]
"""A file and the number of its class."""


@dataclass(frozen=True)
class Found:
    """The pictures of each split; all under `train` where there are no folders of splits."""

    classes: tuple[str, ...]
    pictures: dict[str, list[Picture]]
    notes: tuple[str, ...] = ()
    """Assumptions, and files that were not read."""

    @property
    def paths(self) -> list[Path]:
        """The files of all splits, in the order in which their examples are numbered."""
        return [path for pictures in self.pictures.values() for path, _ in pictures]


def scan(source: ImageFolder) -> Found:
    """Search the folder. Raises UserError where it is not one of pictures by class."""
    root = Path(source.root).expanduser()
    refuse_no_folder(root)
    if not is_text(str(root)):
        raise UserError(f"data.root: {printable(str(root))} is not in UTF-8", hint=RENAME)
    layout = split_folders.find_splits(root)
    there = {split: _classes(root, split, folder) for split, folder in layout.splits.items()}
    classes = there["train"]
    split_folders.refuse_masks(classes, f"data.root: {layout.splits['train']}")
    folder_checks.refuse_unknown(there, layout.splits)
    walks = _walk(root, layout.splits, there)
    pictures = {
        split: [
            (Path(file), number)
            for number, name in enumerate(classes)
            if name in names
            for file in walks[split, name].files
        ]
        for split, names in there.items()
    }
    beside = [it for split, at in layout.splits.items() for it in _note_strays(at, there[split])]
    notes = (
        *layout.notes,
        *beside,
        *note_similar_names(classes),
        *note_unordered_numbers(classes),
        *folder_checks.note_files(walks, root),
    )
    return Found(classes, pictures, tuple(map(printable, notes)))


def _walk(root: Path, splits: Mapping[str, Path], there: Mapping[str, tuple[str, ...]]) -> Walks:
    """Search the folder of each class of each split. Raises UserError where one has faults."""
    walks = {
        (split, name): walk(splits[split] / name, SUFFIXES)
        for split, names in there.items()
        for name in names
    }
    folder_checks.refuse_empty(walks, splits)
    folder_checks.refuse_classes_below(walks)
    folder_checks.refuse_files(walks.values(), root)
    return walks


def facts(source: ImageFolder, found: Found, cache: Path) -> DataFacts:
    """Return the facts of the folder; missing splits are drawn by the shares in the spec.

    Raises UserError naming files that are no pictures, among those whose headers are read.
    """
    # numpy and Pillow, for those who have pictures
    from hpc_dl.data.pictures import duplicates, header_notes

    labels = {name: [label for _, label in its] for name, its in found.pictures.items()}
    splits = split_facts(labels, found.classes, Holdout.of(source), groups(source, found))
    root = Path(source.root).expanduser()
    notes = (
        *found.notes,
        *_note_pattern(source.groups),
        *header_notes.note_decoding(found.paths, source, cache),
        *duplicates.note_duplicates(found.pictures, root),
    )
    shape = (source.channels, *source.size)
    return DataFacts.of("image", "classify", shape, found.classes, notes=notes, **splits)


def groups(source: ImageFolder, found: Found) -> Array | None:
    """Return the groups of the training pictures, (N,) int64, by their paths; None without groups.
    Raises UserError for a path that has none."""
    if source.groups is None:
        return None
    from hpc_dl.data.splits import holdout

    pattern, root = re.compile(source.groups), Path(source.root).expanduser()
    matches = {
        name: [(path, pattern.search(path.relative_to(root).as_posix())) for path, _ in pictures]
        for name, pictures in found.pictures.items()
    }
    every = [it for pairs in matches.values() for it in pairs]
    if without := [path for path, match in every if match is None or not match[1]]:
        shown = first_few(path.relative_to(root).as_posix() for path in without)
        raise UserError(
            f"data.groups: '{pattern.pattern}' does not match {shown}",
            hint="It is searched for in the path of each picture below data.root.",
        )
    named = {name: [match[1] for _, match in pairs if match] for name, pairs in matches.items()}
    for name in set(named) - {"train"}:
        holdout.refuse_shared(named["train"], named[name], name)
    return holdout.number_groups(named["train"])


def _note_pattern(pattern: str | None) -> tuple[str, ...]:
    """Note that groups are named by a part alone of what the pattern captures."""
    if pattern is None or re.compile(pattern).groups < 2:
        return ()
    return (f"data.groups: the first (...) of '{pattern}' alone names the group",)


def _classes(root: Path, split: str, folder: Path) -> tuple[str, ...]:
    names = [name for name in list_folder(folder).folders if name not in split_folders.NO_CLASSES]
    if not names:
        raise no_class(root, split, folder)
    for name in names:
        if not is_text(name):
            raise UserError(
                f"data.root: the name of folder {name!r} in {folder} is not in UTF-8",
                hint=f"It is the name of a class. {RENAME}",
            )
    return tuple(sorted(names))


def _note_strays(folder: Path, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Note what lies beside the folders of classes; the folder of splits has its own note."""
    return split_folders.note_strays(folder, set(classes))
