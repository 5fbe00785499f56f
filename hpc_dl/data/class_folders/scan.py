"""Search of a folder of classes: its classes, splits, files and groups. Light."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.data.class_folders import checks, splits
from hpc_dl.data.class_folders.checks import RENAME, Walks
from hpc_dl.data.class_folders.form import Form
from hpc_dl.data.class_folders.roots import no_class, refuse_no_folder
from hpc_dl.data.class_folders.walk import is_text, list_folder, walk
from hpc_dl.data.labels import note_similar_names, note_unordered_numbers
from hpc_dl.errors import UserError, first_few, printable

if TYPE_CHECKING:
    from hpc_dl.data.splits.holdout import Array


@dataclass(frozen=True)
class Found:
    """The files of each split; all under `train` where there are no folders of splits."""

    classes: tuple[str, ...]
    files: dict[str, list[tuple[Path, int]]]
    """By split: each file with the number of its class."""
    notes: tuple[str, ...] = ()
    """Assumptions, and files that were not read."""
    folders: tuple[Path, ...] = ()
    """Those below the folders of classes."""

    @property
    def paths(self) -> list[Path]:
        """The files of all splits, in the order in which their examples are numbered."""
        return [path for files in self.files.values() for path, _ in files]

    @property
    def labels(self) -> dict[str, list[int]]:
        """The class of each file, by split."""
        return {name: [label for _, label in files] for name, files in self.files.items()}


def scan(folder: str, form: Form) -> Found:
    """Search the folder `data.root`. Raises UserError where it is not one of files by class."""
    root = Path(folder).expanduser()
    refuse_no_folder(root, form)
    if not is_text(str(root)):
        raise UserError(f"data.root: {printable(str(root))} is not in UTF-8", hint=RENAME)
    layout = splits.find_splits(root, form)
    there = {split: _classes(root, split, at, form) for split, at in layout.splits.items()}
    classes = there["train"]
    splits.refuse_masks(classes, f"data.root: {layout.splits['train']}")
    checks.refuse_unknown(there, layout.splits)
    walks = _walk(root, layout.splits, there, form)
    files = {
        split: [
            (Path(file), number)
            for number, name in enumerate(classes)
            if name in names
            for file in walks[split, name].files
        ]
        for split, names in there.items()
    }
    beside = [
        note
        for split, at in layout.splits.items()
        for note in splits.note_strays(at, set(there[split]), form)
    ]
    notes = (
        *layout.notes,
        *beside,
        *note_similar_names(classes),
        *note_unordered_numbers(classes),
        *checks.note_files(walks, root, form),
    )
    below = [Path(it) for walk in walks.values() for it in list(walk.folders.values())[1:]]
    return Found(classes, files, tuple(map(printable, notes)), tuple(below))


def _walk(
    root: Path, folders: Mapping[str, Path], there: Mapping[str, tuple[str, ...]], form: Form
) -> Walks:
    """Search the folder of each class of each split. Raises UserError where one has faults."""
    walks = {
        (split, name): walk(folders[split] / name, form.suffixes)
        for split, names in there.items()
        for name in names
    }
    checks.refuse_empty(walks, folders, form)
    checks.refuse_classes_below(walks, form)
    checks.refuse_files(walks.values(), root)
    return walks


def _classes(root: Path, split: str, folder: Path, form: Form) -> tuple[str, ...]:
    none = {*splits.NO_CLASSES, *form.no_classes}
    names = [name for name in list_folder(folder).folders if name not in none]
    if not names:
        raise no_class(root, split, folder, form)
    for name in names:
        if not is_text(name):
            raise UserError(
                f"data.root: the name of folder {name!r} in {folder} is not in UTF-8",
                hint=f"It is the name of a class. {RENAME}",
            )
    return tuple(sorted(names))


def find_groups(pattern: str | None, root: Path, found: Found) -> Array | None:
    """Return the groups of the training files, (N,) int64, by what `data.groups` finds in their
    paths below the root; None without a pattern. Raises UserError for a path that has none."""
    if pattern is None:
        return None
    from hpc_dl.data.splits import holdout

    searched = re.compile(pattern)
    matches = {
        name: [(path, searched.search(path.relative_to(root).as_posix())) for path, _ in files]
        for name, files in found.files.items()
    }
    every = [it for pairs in matches.values() for it in pairs]
    if without := [path for path, match in every if match is None or not match[1]]:
        shown = first_few(path.relative_to(root).as_posix() for path in without)
        raise UserError(
            f"data.groups: '{pattern}' does not match {shown}",
            hint="It is searched for in the path of each file below data.root.",
        )
    named = {name: [match[1] for _, match in pairs if match] for name, pairs in matches.items()}
    for name in set(named) - {"train"}:
        holdout.refuse_shared(named["train"], named[name], name)
    return holdout.number_groups(named["train"])


def note_pattern(pattern: str | None) -> tuple[str, ...]:
    """Note that groups are named by a part alone of what the pattern captures."""
    if pattern is None or re.compile(pattern).groups < 2:
        return ()
    return (f"data.groups: the first (...) of '{pattern}' alone names the group",)
