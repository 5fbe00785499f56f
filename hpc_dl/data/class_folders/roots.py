"""Refusals of what a user names as a folder of classes, with the way to make it one. Light."""

from __future__ import annotations

from pathlib import Path

from hpc_dl.data.class_folders.form import Form
from hpc_dl.data.class_folders.walk import list_folder
from hpc_dl.data.faults import reading
from hpc_dl.errors import UserError, first_few

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_TABLES = (".csv", ".tsv", ".xlsx", ".xls", ".json", ".txt", ".parquet")


def refuse_no_folder(root: Path, form: Form) -> None:
    """Raise UserError unless the root is a folder."""
    with reading("data.root", root, "folder"):
        is_folder = root.is_dir()
    if is_folder:
        return
    if root.suffix.lower() in _ARCHIVES and root.is_file():
        raise UserError(
            f"data.root: {root} is an archive", hint="Unpack it, and name the folder it makes."
        )
    if root.is_symlink() and not root.exists():
        raise UserError(f"data.root: {root} is a link to {root.readlink()}, which is not there")
    if root.exists():
        raise UserError(f"data.root: {root} is a file", hint=expected_layout(root.parent, form))
    above = next(it for it in root.parents if it.exists())
    variable = "Variables like $HOME are not replaced in a spec. " if "$" in str(root) else ""
    raise UserError(
        f"data.root: there is no folder {root}; {above} is the last part of it that exists",
        hint=f"{variable}{expected_layout(root, form)}",
    )


def no_class(root: Path, split: str, folder: Path, form: Form) -> UserError:
    """Return the error for the folder of a split without any folder of a class."""
    files = list_folder(folder).files
    wanted = [name for name in files if form.has(name)]
    tables = [name for name in files if name.lower().endswith(_TABLES) and not form.has(name)]
    archives = [name for name in files if name.lower().endswith(_ARCHIVES)]
    hint = expected_layout(root, form)
    if split != "train":
        hint = (
            f"{form.nouns.capitalize()} are looked for as {folder}/CLASS/{form.pattern}."
            f"{unlabelled(split, folder)}"
        )
    if tables and not wanted:
        hint += f" To read {first_few(tables, 2)}: data.name: csv, parquet."
    elif tables:
        hint += f" Move each into a folder named after its class, as {first_few(tables, 2)} has it."
    elif archives:
        hint += f" Unpack {first_few(archives, 2)}."
    there = f": {len(wanted)} {form.nouns} lie directly in it" if wanted else ""
    return UserError(f"data.root: {folder} has no folder for a class{there}", hint=hint)


def unlabelled(split: str, folder: Path) -> str:
    """Return what to do about a split whose classes may not be known, as a hint."""
    if split == "train":
        return ""
    where = f"{folder.name} out of {folder.parent}"
    return f" If its classes are not known, move {where}: a {split} split is drawn then."


def expected_layout(root: Path, form: Form) -> str:
    """Return what a folder has to look like, as a hint."""
    files = f"CLASS/{form.pattern}"
    return f"{form.nouns.capitalize()} are looked for as {root}/{files} or {root}/train/{files}."
