"""Split folders in a folder of classes: known by their names. Light."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hpc_dl.data.class_folders.form import Form
from hpc_dl.data.class_folders.roots import expected_layout
from hpc_dl.data.class_folders.walk import list_folder
from hpc_dl.errors import UserError, first_few

NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
"""Names of the folder of a split, in any case."""
NO_CLASSES = ("__MACOSX", "$RECYCLE.BIN", "System Volume Information")
"""Folders that programs make, and not users."""
PARTS = {
    "pictures": ("image", "images", "img", "imgs", "jpegimages", "pictures"),
    "masks": ("mask", "masks", "label", "labels", "annotations", "gt"),
}
"""Names of the folders of pictures and of their masks, in any case."""


@dataclass(frozen=True)
class Layout:
    """The folder of each split; the folder itself is `train` where it holds classes alone."""

    splits: dict[str, Path]
    notes: tuple[str, ...]


def find_splits(root: Path, form: Form) -> Layout:
    """Find the splits by their names. Raises UserError where that is not clear."""
    folders = [name for name in list_folder(root).folders if name not in NO_CLASSES]
    named = {name: split for name in folders if (split := _split(name))}
    if named and (lone := _lone_class(root, named, folders, form)):
        _refuse_likely_splits(root, folders, form)
        note = f"folder {lone} is read as a class, not as a split: it has no folders of classes"
        return Layout({"train": root}, (note,))
    if not named:
        _refuse_hidden_splits(root, folders, form)
        return Layout({"train": root}, _note_sibling_splits(root))
    splits = _one_each(root, named)
    _refuse_doubled(splits, form)
    if "train" not in splits:
        raise UserError(
            f"data.root: {root} has {', '.join(named)} but no train",
            hint=expected_layout(root, form),
        )
    return Layout(splits, (*_renamed(named), *note_strays(root, {*named}, form)))


def refuse_as_classes(names: Iterable[str], where: str) -> None:
    """Raise UserError where the names of classes are those of several splits, or have such words in
    each of them."""
    every = list(names)
    worded = {name: next(filter(None, map(_split, _words(name))), None) for name in every}
    exact = {name: _split(name) for name in every if _split(name)}
    found = worded if all(worded.values()) else exact
    if len(set(found.values())) > 1:
        raise UserError(
            f"{where}: {first_few(found)} look like splits, but would be classes",
            hint="data.name: image_folder reads folders of splits.",
        )


def refuse_masks(names: Iterable[str], where: str) -> None:
    """Raise UserError for classes that are pictures and their masks."""
    found = {part for name in names for part, known in PARTS.items() if name.lower() in known}
    if len(found) == len(PARTS):
        raise UserError(
            f"{where}: {first_few(names)} look like pictures and their masks, but would be classes",
            hint="A picture has one class here: the name of the folder that it lies in.",
        )


def note_strays(folder: Path, wanted: set[str], form: Form) -> tuple[str, ...]:
    """Note what else lies in a folder than the wanted folders."""
    there = list_folder(folder)
    left = [f"{name}/" for name in there.folders if name not in wanted]
    left += sorted(there.files, key=form.has, reverse=True)
    return (f"not read in {folder.name or '.'}: {first_few(left)}",) if left else ()


def _split(name: str) -> str | None:
    """Return the split of a folder by its name."""
    return next((split for split, names in NAMES.items() if name.strip().lower() in names), None)


def _lone_class(root: Path, named: dict[str, str], folders: list[str], form: Form) -> str | None:
    """Return a class with the name of a split, such as `train` among vehicles: it holds only
    files of the form, and so does another folder."""
    if len(named) > 1 or len(folders) == 1:
        return None
    alone = {name for name in folders if _holds_files_alone(root / name, form)}
    return next((name for name in named if name in alone and len(alone) > 1), None)


def _holds_files_alone(folder: Path, form: Form) -> bool:
    there = list_folder(folder)
    return not there.folders and any(map(form.has, there.files))


def holds_folders_alone(folder: Path, form: Form) -> bool:
    """Return whether a folder has folders, and no file of the form."""
    there = list_folder(folder)
    return bool(there.folders) and not any(map(form.has, there.files))


def _one_each(root: Path, named: dict[str, str]) -> dict[str, Path]:
    """Return the folders by split, in the order of training, validation, test."""
    splits = {}
    for split in NAMES:
        folders = [name for name, it in named.items() if it == split]
        if len(folders) > 1:
            raise UserError(
                f"data.root: {root} has several folders of the {split} split: {', '.join(folders)}",
                hint="Leave one of them there, or join them.",
            )
        if folders:
            splits[split] = root / folders[0]
    return splits


def _refuse_doubled(splits: dict[str, Path], form: Form) -> None:
    """Raise UserError for a split whose one folder is itself again, as archives unpack to."""
    for folder in splits.values():
        inner = [name for name in list_folder(folder).folders if name not in NO_CLASSES]
        if len(inner) == 1 and _split(inner[0]) and holds_folders_alone(folder / inner[0], form):
            raise UserError(
                f"data.root: {folder} has one folder, {inner[0]}, which holds folders alone",
                hint=f"Move what is in {folder / inner[0]} up into {folder}.",
            )


def _renamed(named: dict[str, str]) -> tuple[str, ...]:
    others = [f"{name}/ as {split}" for name, split in named.items() if name != split]
    return (f"splits by the names of folders: {', '.join(others)}",) if others else ()


def _refuse_hidden_splits(root: Path, folders: list[str], form: Form) -> None:
    """Raise UserError for splits under other names, below classes, or a folder too deep."""
    if len(folders) == 1 and holds_folders_alone(inner := root / folders[0], form):
        raise UserError(
            f"data.root: {root} has one folder, {folders[0]}, which holds folders alone",
            hint=f"Should it be data.root: {inner}?",
        )
    _refuse_likely_splits(root, folders, form)
    refuse_masks(folders, f"data.root: {root}")
    for name in folders:
        below = [it for it in list_folder(root / name).folders if _split(it)]
        if len(below) > 1:
            raise UserError(
                f"data.root: class {name} in {root} has folders of splits: {', '.join(below)}",
                hint=f"Splits come first: {root}/{below[0]}/{name}/{form.pattern}.",
            )


def _refuse_likely_splits(root: Path, folders: list[str], form: Form) -> None:
    """Raise UserError for folders named after splits, all of them or those that hold folders."""
    by_words = {name: {it for word in _words(name) if (it := _split(word))} for name in folders}
    likely = {name: it for name, it in by_words.items() if it}
    nested = all(holds_folders_alone(root / name, form) for name in likely)
    if len(set().union(*likely.values())) > 1 and (nested or all(by_words.values())):
        raise UserError(
            f"data.root: {first_few(likely)} in {root} look like splits, but would be classes",
            hint="Call the folders of splits train, validation and test.",
        )


def _words(name: str) -> list[str]:
    """Split a name into words: train_images, trainA, Train2 and trainset have `train`."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
    return [re.sub(r"(?<=.)(set|data|images?)$", "", word.lower()) for word in words]


def _note_sibling_splits(root: Path) -> tuple[str, ...]:
    """Note that the folder is a split itself, and others lie beside it."""
    here = root.resolve()
    if _split(here.name):
        with contextlib.suppress(UserError):  # nobody asked for what is above
            others = [it for it in list_folder(here.parent).folders if _split(it)]
            others.remove(here.name)
            if others:
                return (
                    f"not read: {', '.join(others)} beside {here.name}; "
                    f"data.root: {here.parent} has them all",
                )
    return ()
