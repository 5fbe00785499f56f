"""Files that options of a user's own architecture name: copied into the export, and named there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

FOLDER = "files"
"""In an export."""


def copy_into(export: Path, options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Copy each file that an option names by its absolute path; folders are left where they are.

    Returns the options with the names of the copies, relative to the export, and which these are.
    """
    places: list[str] = []

    def copied(place: str, value: Any) -> Any:
        if not isinstance(value, str) or not _is_file(value):
            return value
        name = f"{FOLDER}/{len(places)}/{Path(value).name}"
        (export / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(value, export / name)
        places.append(place)
        return name

    return _changed(options, copied), places


def find_in(export: Path, options: dict[str, Any], places: Collection[str]) -> dict[str, Any]:
    """The options with the copies' absolute paths, wherever the export lies now."""

    def found(place: str, value: Any) -> Any:
        return str(export.absolute() / value) if place in places else value

    changed: dict[str, Any] = _changed(options, found)
    return changed


def _is_file(value: str) -> bool:
    return value.startswith("/") and os.path.isfile(value)  # noqa: PTH113  of any text at all


def _changed(value: Any, change: Callable[[str, Any], Any], place: str = "") -> Any:
    """Options with every one that holds no others changed; `a.0` is the first of the list `a`."""
    dot = f"{place}." if place else ""
    if isinstance(value, dict):
        return {key: _changed(it, change, f"{dot}{key}") for key, it in value.items()}
    if isinstance(value, list):
        return [_changed(it, change, f"{dot}{number}") for number, it in enumerate(value)]
    return change(place, value)
