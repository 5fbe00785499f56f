"""Recordings that are refused: why, all of a folder at once. Light."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hpc_dl.data.class_folders.walk import shown
from hpc_dl.data.faults import Faults
from hpc_dl.errors import UserError

CONVERT = "Convert them: ffmpeg -i OLD -c:a pcm_s16le NEW.wav"
DAMAGED = "Remove, replace or copy them again."


class Refused(Exception):
    """Why a recording is not read, like `cut off`, and what to do."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why, remedy)
        self.why, self.remedy = why, remedy


def refused(path: Path, error: Refused) -> UserError:
    """Return the error for one recording."""
    return UserError(f"{path} is not read: {error.why}", hint=error.remedy)


def refuse_all(bad: Iterable[tuple[Path, Refused]], root: Path) -> None:
    """Raise UserError with all recordings that are refused, if there are any, by their reasons."""
    faults = Faults(f"data.root: {root} has recordings that are not read")
    for path, error in bad:
        faults.add(error.why, [shown(path, root)], error.remedy)
    faults.refuse()
