"""Clips in a folder of classes: video files, and folders of frames as pictures. Light."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from hpc_dl.data.class_folders import scan
from hpc_dl.data.class_folders.form import Form
from hpc_dl.data.class_folders.scan import Found
from hpc_dl.data.class_folders.walk import list_folder, shown
from hpc_dl.data.faults import Faults
from hpc_dl.errors import UserError

FRAMES = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".tif", ".tiff", ".webp")
VIDEOS = (".mp4", ".avi", ".gif", ".m4v", ".mkv", ".mov", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv")
CLIPS = Form("clip", (*VIDEOS, *FRAMES), of_folders=True)
_NUMBER = re.compile(r"(\d+)")
_DIFFER = "frames whose names differ in more than their numbers"
_ONE_CLIP = (
    "A folder holds the frames of one clip, which follow each other by the numbers in their names: "
    "take other pictures out."
)


@dataclass(frozen=True)
class Clip:
    """A video file, or the pictures of a folder in their order."""

    path: Path
    frames: tuple[Path, ...] = ()

    @property
    def is_uneven(self) -> bool:
        """Whether the last numbers in the names of the frames are at unequal steps."""
        numbers = [int(found[-1]) for it in self.frames if (found := _NUMBER.findall(it.stem))]
        return len({after - before for before, after in pairwise(numbers)}) > 1


@dataclass(frozen=True)
class FoundClips:
    """The clips of a folder, as its examples, and the files that they consist of."""

    found: Found
    clips: dict[Path, Clip]
    files: tuple[Path, ...]

    def __iter__(self) -> Iterator[Clip]:
        return (self.clips[path] for path in self.found.paths)


def search(folder: str) -> FoundClips:
    """Search the folder `data.root`. Raises UserError where it is not one of clips by class."""
    read, root = scan.scan(folder, CLIPS), Path(folder).expanduser()
    below = set(read.folders)
    clips: dict[Path, list[Path]] = {}
    files = {name: {_clip_of(it): label for it, label in its} for name, its in read.files.items()}
    for file in read.paths:
        clips.setdefault(_clip_of(file), []).append(file)
    faults = Faults(f"data.root: {root}")
    faults.add(
        "pictures that lie directly in the folder of a class, but belong to no clip",
        [shown(it, root) for it in read.paths if _is_frame(it) and it.parent not in below],
        "The frames of a clip lie in a folder of their own: CLASS/CLIP/*.png.",
    )
    faults.add(
        _DIFFER,
        [names for path, its in clips.items() if its != [path] and (names := _unlike(its, root))],
        _ONE_CLIP,
    )
    full = {above for path in read.paths for above in path.parents}
    faults.add(
        "clips without frames",
        [shown(it, root) for it in read.folders if it not in full],
        f"Known are {' '.join(sorted(CLIPS.suffixes))}. Fill them, or remove them.",
    )
    faults.refuse()
    found = replace(read, files={name: list(its.items()) for name, its in files.items()})
    made = {path: _clip(path, tuple(its)) for path, its in clips.items()}
    return FoundClips(found, made, tuple(read.paths))


def _unlike(frames: Sequence[Path], root: Path) -> str:
    """Return two frames whose names differ in more than numbers; empty if all are alike, or none
    has a number."""
    alike = {_NUMBER.sub("0", it.name): shown(it, root) for it in reversed(frames)}
    return (
        ""
        if len(alike) == 1 or not any(map(_NUMBER.search, alike))
        else " and ".join(sorted(alike.values())[:2])
    )


def of_path(path: Path) -> Clip:
    """Return the clip at a path: a video file, or a folder of frames. Raises UserError."""
    if not path.is_dir():
        return Clip(path)
    frames = [path / name for name in list_folder(path).files if name.lower().endswith(FRAMES)]
    if not frames:
        raise UserError(f"{path} has no frames", hint=f"Known are {' '.join(sorted(FRAMES))}.")
    if names := _unlike(frames, path):
        raise UserError(f"{path} has {_DIFFER}: {names}", hint=_ONE_CLIP)
    return _clip(path, tuple(frames))


def chosen(count: int, wanted: int) -> list[int]:
    """Return which of so many frames are taken, at even distances; some are taken twice, where
    there are fewer than are wanted."""
    return [(2 * number + 1) * count // (2 * wanted) for number in range(wanted)]


def shown_at(times: Sequence[int], wanted: int) -> list[int]:
    """Return which frames are shown in the middle of each of so many parts of a film, which are
    equally long; `times` are the beginnings of the frames, in their order."""
    each = (times[-1] - times[0]) // max(1, len(times) - 1)
    length = times[-1] - times[0] + max(1, each)  # with the last frame
    middles = [times[0] + (2 * part + 1) * length // (2 * wanted) for part in range(wanted)]
    return [bisect.bisect_right(times, it) - 1 for it in middles]


def _clip(path: Path, files: tuple[Path, ...]) -> Clip:
    return Clip(path) if files == (path,) else Clip(path, tuple(sorted(files, key=_in_order)))


def _clip_of(file: Path) -> Path:
    return file.parent if _is_frame(file) else file


def _is_frame(file: Path) -> bool:
    return file.name.lower().endswith(FRAMES)


def _in_order(file: Path) -> list[tuple[int, str]]:
    """Return a key by which frame 10 comes after frame 9, whether or not it has zeros before."""
    return [(int(it), "") if it.isdecimal() else (0, it) for it in _NUMBER.split(file.name)]
