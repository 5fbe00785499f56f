"""A user's own pictures on disk: which classes and splits a folder holds. Light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hpc_dl.data import counts
from hpc_dl.errors import UserError
from hpc_dl.spec.data import DataFacts, ImageFolder

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm"})
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Found:
    """The pictures of each split, as (path, class number); one split where there are no folders."""

    classes: tuple[str, ...]
    pictures: dict[str, list[tuple[Path, int]]]

    @property
    def divided(self) -> bool:
        """Whether the folder itself says what is for training and what for the test."""
        return "test" in self.pictures


def scan(source: ImageFolder) -> Found:
    """Look through the folder. Raises UserError where it is not one of pictures by class."""
    root = Path(source.root).expanduser()
    if not root.is_dir():
        raise UserError(f"data.root: there is no folder {root}", hint=_layout(root))
    splits = {name: root / name for name in SPLITS if (root / name).is_dir()}
    if splits and "train" not in splits:
        raise UserError(
            f"data.root: {root} has {', '.join(splits)} but no train", hint=_layout(root)
        )
    splits = splits or {"train": root}
    classes = _classes(splits["train"])
    pictures = {}
    for name, folder in splits.items():
        if (these := _classes(folder)) != classes:
            differs = ", ".join(sorted(set(these) ^ set(classes)))
            raise UserError(
                f"data.root: {folder} has other classes than {splits['train']}: {differs}",
                hint="Every split needs a folder for each class.",
            )
        pictures[name] = [
            (path, number)
            for number, label in enumerate(classes)
            for path in _pictures(folder / label)
        ]
    return Found(classes, pictures)


def facts(source: ImageFolder) -> DataFacts:
    """What a plan needs to know of the folder."""
    found = scan(source)
    shape = (source.channels, *source.size)
    return DataFacts("image", "classify", shape, found.classes, *split_counts(source, found))


def split_counts(source: ImageFolder, found: Found) -> tuple[int, int, int]:
    """Train, validation and test; what the folder does not divide is divided by the spec."""
    there = {name: len(pictures) for name, pictures in found.pictures.items()}
    if not found.divided and "validation" not in there:
        return counts.three_ways(there["train"], source.validation, source.test)
    if "validation" in there:
        return there["train"], there["validation"], there.get("test", there["validation"])
    return (*counts.two_ways(there["train"], source.validation), there["test"])


def _classes(folder: Path) -> tuple[str, ...]:
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if not names:
        raise UserError(f"data.root: {folder} has no folder for a class", hint=_layout(folder))
    return tuple(names)


def _pictures(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        kinds = " ".join(sorted(SUFFIXES))
        raise UserError(f"data.root: class {folder} has no picture", hint=f"Known are {kinds}.")
    return found


def _layout(root: Path) -> str:
    return f"Pictures are looked for as {root}/CLASS/*.png or {root}/train/CLASS/*.png."
