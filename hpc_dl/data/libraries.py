"""Data sets that a library's classes read from files that are there: none is downloaded."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import LibraryData


def class_of(source: LibraryData, module: ModuleType) -> Any:
    """Return the class in `module` that the source names. Raises UserError if there is none."""
    name = source.name.split(":")[1]
    if name not in module.__all__:
        near = get_close_matches(name, module.__all__, 3)
        raise UserError(
            f"{module.__name__} has no '{name}'",
            hint=f"Did you mean {' or '.join(near)}?" if near else "",
        )
    return getattr(module, name)


def takes(kind: Any, option: str) -> bool:
    """Return whether a data set's class has an option."""
    return option in inspect.signature(kind).parameters


def make(source: LibraryData, kind: Any, root: Path, at: Path | None = None, **more: object) -> Any:
    """Return the data set that is staged in `root`, and read `at` another place if that is given,
    with the user's options and with more.

    Raises UserError where it is not staged, or does not take the options.
    """
    where = {"root": str(at or root)} if takes(kind, "root") else {}
    if takes(kind, "name") and "name" not in _options(source):
        raise UserError(
            f"{source.name} is several data sets", hint=f"Say which: {source.name}:NAME."
        )
    try:
        return kind(**where, **_options(source), **more)
    except (TypeError, AssertionError) as error:
        raise UserError(
            f"{source.name} does not take these options: {str(error) or _values(source)}",
            hint=f"It takes {', '.join(inspect.signature(kind).parameters)}.",
        ) from None
    except (RuntimeError, OSError) as error:
        raise UserError(
            f"{source.name} is not staged in {root}: {error}", hint=_staging(source, kind, root)
        ) from None


def _options(source: LibraryData) -> dict[str, Any]:
    """Return the options for the class: the user's, and after the second colon the `name`."""
    _, _, *which = source.name.split(":")
    return {**({"name": which[0]} if which else {}), **source.options}


def _values(source: LibraryData) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in _options(source).items())


def _staging(source: LibraryData, kind: Any, root: Path) -> str:
    """Return the command by which the library fetches it."""
    options = f", {_values(source)}" if _options(source) else ""
    download = ", download=True" if takes(kind, "download") else ""
    library, name = source.name.split(":")[:2]
    return (
        "Fetch it on a machine with internet, with the same folder:\n"
        f'python -c "from {library}.datasets import {name}; '
        f"{name}('{root}'{options}{download})\""
    )
