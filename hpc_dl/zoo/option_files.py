"""Files that options of a user's architecture name: they are copied into the export."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

FOLDER = "files"
"""Folder of the copies in an export."""


def copy_into(export: Path, options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Copy each file that an option names by its absolute path; folders are left where they are.

    Returns the options with the names of the copies, relative to the export, and the keys of those
    options: `a.0` is the first of the list `a`.
    """
    keys: list[str] = []

    def copy(key: str, value: Any) -> Any:
        if not isinstance(value, str) or not _is_file(value):
            return value
        name = f"{FOLDER}/{len(keys)}/{Path(value).name}"
        (export / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(value, export / name)
        keys.append(key)
        return name

    return _map(options, copy), keys


def resolve(export: Path, options: dict[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """Return the options with the copies' absolute paths in an export that may have been moved."""

    def absolute(key: str, value: Any) -> Any:
        return str(export.absolute() / value) if key in keys else value

    resolved: dict[str, Any] = _map(options, absolute)
    return resolved


def _is_file(value: str) -> bool:
    return value.startswith("/") and os.path.isfile(value)  # noqa: PTH113  of any text at all


def _map(value: Any, change: Callable[[str, Any], Any], key: str = "") -> Any:
    """Return options with a function applied to the key and the value of each leaf."""
    dot = f"{key}." if key else ""
    if isinstance(value, dict):
        return {name: _map(it, change, f"{dot}{name}") for name, it in value.items()}
    if isinstance(value, list):
        return [_map(it, change, f"{dot}{number}") for number, it in enumerate(value)]
    return change(key, value)
