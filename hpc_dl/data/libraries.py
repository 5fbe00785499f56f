"""Data sets that a library's classes read from files that are there: none is downloaded."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from hpc_dl.errors import UserError
from hpc_dl.spec.data import LibraryData


def class_of(source: LibraryData, module: ModuleType) -> Any:
    """The class in `module` that the source names. Raises UserError where there is none."""
    _, _, name = source.name.partition(":")
    if name not in module.__all__:
        near = get_close_matches(name, module.__all__, 3)
        raise UserError(
            f"data.name: {module.__name__} has no '{name}'",
            hint=f"Did you mean {' or '.join(near)}?" if near else "",
        )
    return getattr(module, name)


def takes(kind: Any, option: str) -> bool:
    """Whether a data set's class can be told this."""
    return option in inspect.signature(kind).parameters


def make(source: LibraryData, kind: Any, root: Path, at: Path | None = None, **more: object) -> Any:
    """The data set that is staged in `root`, and read `at` another place if that is given, with
    the user's options and with more of them.

    Raises UserError where it is not staged, or does not take the options.
    """
    where = {"root": str(at or root)} if takes(kind, "root") else {}
    try:
        return kind(**where, **source.options, **more)
    except TypeError as error:
        raise UserError(
            f"data: {source.name} does not take these options: {error}",
            hint=f"It takes {', '.join(inspect.signature(kind).parameters)}.",
        ) from None
    except (RuntimeError, OSError) as error:
        raise UserError(
            f"{source.name} is not staged in {root}: {error}", hint=_staging(source, kind, root)
        ) from None


def _staging(source: LibraryData, kind: Any, root: Path) -> str:
    """How to have the library fetch it."""
    options = "".join(f", {key}={value!r}" for key, value in source.options.items())
    download = ", download=True" if takes(kind, "download") else ""
    library, _, name = source.name.partition(":")
    return (
        "Fetch it on a machine with internet, with the same folder:\n"
        f'python -c "from {library}.datasets import {name}; '
        f"{name}('{root}'{options}{download})\""
    )
