"""Folders of MIDI files, a piece each."""

from __future__ import annotations

from pathlib import Path

from hpc_dl.data.class_folders.form import Form
from hpc_dl.data.class_folders.splits import NAMES, NO_CLASSES
from hpc_dl.data.faults import Faults, reading, resolve_home
from hpc_dl.data.music.midi_files import Piece, read
from hpc_dl.data.music.rolls import Roll
from hpc_dl.errors import UserError
from hpc_dl.installed import require

MIDI_FILES = Form("MIDI file", (".mid", ".midi"))


def find(key: str, folder: Path | str) -> dict[str, list[Path]]:
    """Return the MIDI files below a folder by split: as the folders in it are called, or all as
    `train`; hidden files are left out. Raises UserError where there are none."""
    root = resolve_home(key, folder)
    if not root.is_dir():
        raise UserError(f"{key}: there is no folder {root}")
    with reading(key, root, "folder"):
        files = sorted(it for it in root.rglob("*") if MIDI_FILES.has(it.name) and it.is_file())
    seen = [it for it in files if not _is_hidden(it.relative_to(root))]
    if not seen:
        raise UserError(f"{key}: {root} has no files {' or '.join(MIDI_FILES.suffixes)}")
    return _by_split(key, root, seen)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part in NO_CLASSES for part in path.parts)


def _by_split(key: str, root: Path, files: list[Path]) -> dict[str, list[Path]]:
    """Return the files of each split. Raises UserError where only some lie in one."""
    found: dict[str, list[Path]] = {}
    for file in files:
        folder = file.relative_to(root).parts[0].lower()
        split = next((name for name, known in NAMES.items() if folder in known), "")
        found.setdefault(split, []).append(file)
    if set(found) == {""}:
        return {"train": found[""]}
    if "" in found:
        raise UserError(
            f"{key}: {root} has folders of splits, and {found[''][0]} lies in none of them",
            hint="Move it into one of them, or out of the folder.",
        )
    if "train" not in found:
        raise UserError(f"{key}: {root} has {', '.join(found)} but no train")
    return {name: found[name] for name in NAMES if name in found}


def read_all(
    key: str, files: dict[str, list[Path]], per_quarter: int
) -> tuple[dict[str, list[Roll]], tuple[str, ...]]:
    """Return the pieces of each split, one a file, and notes for the plan on what is not in them.

    Raises UserError with every file that is no MIDI, or has no notes, and where mido is not
    installed.
    """
    require("mido", "music", "reading MIDI files")  # once, not for every file
    faults, pieces = Faults(key), {split: list[Piece]() for split in files}
    for split, every in files.items():
        for file in every:
            with faults.collect():
                pieces[split].append(read(key, file, per_quarter))
    faults.refuse()
    rolls = {split: [it.roll for it in every] for split, every in pieces.items()}
    by_folder = (f"splits by the names of folders: {', '.join(files)}",) if len(files) > 1 else ()
    return rolls, by_folder + _notes_of([it for every in pieces.values() for it in every])


def _notes_of(pieces: list[Piece]) -> tuple[str, ...]:
    """Return a sentence for each way in which pieces are not as their files are."""
    notes, outside, drums, moved = (
        sum(getattr(it, name) for it in pieces) for name in ("notes", "outside", "drums", "moved")
    )
    said = {
        f"{outside} notes are on no key of a piano, and left out": outside,
        f"{drums} notes of drums are left out": drums,
        f"{moved} of {notes} notes begin between two frames, and are moved to the nearest": moved,
    }
    return tuple(sentence for sentence, count in said.items() if count)
