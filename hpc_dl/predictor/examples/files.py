"""Files of one example each: pictures, recordings, MIDI files, clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hpc_dl.data.class_folders.form import Form
from hpc_dl.data.class_folders.walk import shown, walk
from hpc_dl.data.video.clips import CLIPS, FRAMES
from hpc_dl.errors import UserError
from hpc_dl.predictor.examples.part import Examples, Part, in_parts


def of_folder(path: Path, form: Form, size: int) -> Examples:
    """Return the files of a form in a folder and all below, in the order of their names; or one.

    Raises UserError where there are none.
    """
    found = find_files(path, form)
    return Examples(_parts(found, path, size), len(found))


def of_clips(path: Path, size: int) -> Examples:
    """Return the clips in a folder and all below: video files, and folders of frames; or one."""
    each = [it.parent if it.suffix.lower() in FRAMES else it for it in find_files(path, CLIPS)]
    found = list(dict.fromkeys(each))
    return Examples(_parts(found, path, size), len(found))


def find_files(path: Path, form: Form) -> list[Path]:
    """Return the files of a form in a folder and all below, or the file itself."""
    if not path.is_dir():
        return [path]
    found = walk(path, form.suffixes)
    if not found.files:
        others = ", ".join(f"{count} {name}" for name, count in found.others.most_common(4))
        raise UserError(
            f"{path} has no {form.nouns} in it" + (f", but {others}" if others else ""),
            hint=f"Known are {' '.join(sorted(form.suffixes))}.",
        )
    return [Path(it) for it in found.files]


def _parts(found: Sequence[Path], root: Path, size: int) -> Iterator[Part]:
    for some in in_parts(found, size):
        names = [it.name if it == root else shown(it, root) for it in some]
        yield Part([*map(str, some)], {"file": names}, [*map(str, some)])
