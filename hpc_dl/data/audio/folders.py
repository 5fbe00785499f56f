"""Folders of recordings, also as Speech Commands has them (Warden, arXiv:1804.03209). Light."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hpc_dl.data import text_files
from hpc_dl.data.class_folders import scan
from hpc_dl.data.class_folders.form import Form
from hpc_dl.data.class_folders.scan import Found
from hpc_dl.data.class_folders.walk import shown
from hpc_dl.data.faults import Faults

RECORDINGS = Form(
    "recording",
    (".wav", ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".oga", ".ogg", ".opus", ".wave"),
    no_classes=("_background_noise_",),
)
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
"""Files of Speech Commands that name the recordings of a split, a path below the root a line."""


def find(root: str) -> Found:
    """Return the recordings below a folder by split."""
    found, folder = scan.scan(root, RECORDINGS), Path(root).expanduser()
    lists = {split: folder / name for split, name in LISTS.items() if (folder / name).is_file()}
    return _divide(found, lists, folder) if lists and set(found.files) == {"train"} else found


def _divide(found: Found, lists: dict[str, Path], root: Path) -> Found:
    """Move the recordings that the lists name to their splits."""
    split_of: dict[Path, str] = {}
    for split, file in lists.items():
        for path in _listed(file, root):
            split_of[path] = split
    _refuse_absent(split_of, found, lists, root)
    files: dict[str, list[tuple[Path, int]]] = {"train": [], **{split: [] for split in lists}}
    for path, label in found.files["train"]:
        files[split_of.get(path, "train")].append((path, label))
    names = [file.name for file in lists.values()]
    beside = [note for note in found.notes if not all(name in note for name in names)]
    note = f"splits by {' and '.join(names)}"
    return replace(found, files=files, notes=(*beside, note))


def _listed(file: Path, root: Path) -> list[Path]:
    """Return the paths that a list names."""
    lines = text_files.read("data.root", file).splitlines()
    return [root / line.strip() for line in lines if line.strip()]


def _refuse_absent(
    split_of: dict[Path, str], found: Found, lists: dict[str, Path], root: Path
) -> None:
    """Raise UserError for recordings that a list names and that are not there."""
    there = set(found.paths)
    for split, file in lists.items():
        faults = Faults(f"data.root: {file}")
        absent = [it for it, its in split_of.items() if its == split and it not in there]
        faults.add(
            "recordings that are not there",
            [shown(it, root) for it in absent],
            "Unpack the whole data set, or take these lines out.",
        )
        faults.refuse()
