"""Checks and notes of the files in folders of classes, by their names alone. Light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from hpc_dl.data.class_folders.form import Form
from hpc_dl.data.class_folders.roots import unlabelled
from hpc_dl.data.class_folders.splits import holds_folders_alone
from hpc_dl.data.class_folders.walk import Walk, is_text, shown, special
from hpc_dl.data.faults import Faults
from hpc_dl.errors import UserError, first_few

RENAME = (
    "Rename them, for example with `convmv -r -f latin1 -t utf8 --notest FOLDER`, or unpack the "
    "archive again with `unzip -O cp1252`."
)
"""What to do about names that are not in UTF-8."""
MOST_NOTES = 3
"""Of notes of one kind."""

Walks = Mapping[tuple[str, str], Walk]
"""The search of each folder of a class, by split and class."""


def refuse_unknown(there: Mapping[str, tuple[str, ...]], splits: Mapping[str, Path]) -> None:
    """Raise UserError for classes that are not trained on."""
    faults, known = Faults("data.root"), set(there["train"])
    for split, names in there.items():
        hint = f"To train on there are: {first_few(there['train'])}."
        if known.isdisjoint(names):
            hint += unlabelled(split, splits[split])
        what = f"{splits[split]} has classes that {splits['train']} has not"
        faults.add(what, sorted({*names} - known), hint)
    faults.refuse()


def refuse_empty(walks: Walks, splits: Mapping[str, Path], form: Form) -> None:
    """Raise UserError for classes without a file to train on, and splits without any."""
    known = f"Known are {' '.join(sorted(form.suffixes))}."
    train = {name: it for (split, name), it in walks.items() if split == "train"}
    if empty := [name for name, it in train.items() if not it.files]:
        there = _count_by_suffix(train.values())
        hint = f"{known} It also has {there}." if there else known
        full = [splits["train"] / name for name, it in train.items() if it.files]
        if len(splits) == len(full) == 1 and holds_folders_alone(full[0], form):
            hint = f"Should it be data.root: {full[0]}?"
        raise UserError(
            f"data.root: {splits['train']} has no {form.noun} of class {first_few(empty)}",
            hint=hint,
        )
    for split, folder in splits.items():
        if not any(it.files for (its, _), it in walks.items() if its == split):
            raise UserError(f"data.root: {folder} has no {form.noun}", hint=known)


def refuse_classes_below(walks: Walks, form: Form) -> None:
    """Raise UserError for a class that has folders of other classes, as a copy of all files in
    their midst. Numbers may be those of patients or days."""
    for (split, name), it in walks.items():
        others = {its for of, its in walks if of == split and its != name and not its.isdecimal()}
        folder, *below = map(Path, it.folders.values())
        if len(same := sorted(others & {it.name for it in below})) > 1:
            raise UserError(
                f"data.root: folder {folder} would be a class, and has folders named after other "
                f"classes: {first_few(same)}",
                hint=f"If it is a copy of all {form.nouns}, move it out of {folder.parent}.",
            )


def refuse_files(walks: Iterable[Walk], root: Path) -> None:
    """Raise UserError for files that are not to be opened, and for names that are no text."""
    faults = Faults(f"data.root: {root}")
    for it in walks:
        for file in it.special:
            faults.add(special(file), [shown(file, root)], "Remove or replace them.")
        for file in it.files:
            if not file.isascii() and not is_text(file):
                faults.add("names not in UTF-8", [shown(file, root)], RENAME)
    faults.refuse()


def note_files(walks: Walks, root: Path, form: Form) -> list[str]:
    """Note other files, sub-folders and links."""
    notes = []
    if left := _count_by_suffix(walks.values()):
        notes.append(f"files of classes that are not read: {left}")
    below = [it for walk in walks.values() for it in list(walk.folders.values())[1:]]
    if below and not form.of_folders:
        notes.append(f"{form.nouns} in sub-folders count to their class: {_paths(below, root)}")
    if repeated := [it for walk in walks.values() for it in walk.repeated]:
        notes.append(f"links to folders that are read already: {_paths(repeated, root)}")
    return notes + _same_folders(walks, root, form)


def _same_folders(walks: Walks, root: Path, form: Form) -> list[str]:
    """Note folders that are read for several classes or splits."""
    places: dict[tuple[int, int], list[str]] = {}
    for found in walks.values():
        for identity, place in found.folders.items():
            places.setdefault(identity, []).append(place)
    several = [same for same in places.values() if len(same) > 1]
    more = f"so are {len(several) - MOST_NOTES} more folders" if len(several) > MOST_NOTES else ""
    return [
        f"the same folder by links, its {form.nouns} are read for each: {_paths(same, root)}"
        for same in several[:MOST_NOTES]
    ] + [more] * bool(more)


def _count_by_suffix(walks: Iterable[Walk]) -> str:
    """Count the files of other forms: `3 .txt, 1 .csv`."""
    total: Counter[str] = sum((walk.others for walk in walks), Counter())
    return first_few(f"{count} {name}" for name, count in total.most_common())


def _paths(places: list[str], root: Path) -> str:
    return first_few([str(Path(place).relative_to(root)) for place in places])
