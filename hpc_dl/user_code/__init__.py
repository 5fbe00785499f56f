"""A user's code, named as `my_code.py:MyNet`: imported from its snapshot in a run folder."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hpc_dl import installed
from hpc_dl.errors import UserError
from hpc_dl.user_code import namespace
from hpc_dl.user_code.namespace import PREFIX, Namespace, package_root, root_of

__all__ = [
    "MANIFEST", "PREFIX", "Namespace", "import_originals", "load_object", "namespace_of",
    "package_root", "root_of",
]  # fmt: skip

MANIFEST = "hpcdl-snapshot.json"
"""In a snapshot: its `files`, and for each module that a spec names the `roots`, the folders in
which its absolute imports are looked for, in that order."""

_originals: set[Path] = set()


def load_object(reference: str, folder: Path) -> Any:
    """Import the object `NAME` of `file.py:NAME` in `folder`, or of `package.module:NAME`.

    Errors inside the user's code come through as they are; UserError is raised for a file or a name
    that is not there.
    """
    place, _, name = reference.rpartition(":")
    module = _from_file(folder, place) if place.endswith(".py") else _from_package(folder, place)
    try:
        return getattr(module, name)
    except AttributeError:
        public = ", ".join(item for item in vars(module) if not item.startswith("_"))
        hint = f"It has: {public}." if public else "It is empty: is it saved?"
        raise UserError(f"{place} defines no '{name}'", hint=hint) from None


def import_originals(folder: Path) -> None:
    """Search for what the code in `folder` imports wherever Python would, not in it alone."""
    _originals.add(installed.absolute(folder))


def namespace_of(folder: Path, place: str) -> Namespace:
    """Return the namespace of the module that a spec calls `place`, of the code in `folder`."""
    folder = _folder(folder)
    beside = (folder / place).parent if place.endswith(".py") else folder
    default = [beside, package_root(beside), folder]
    roots = [folder / root for root in _manifest(folder).get(place, [])] or default
    roots = [Path(os.path.normpath(root)) for root in dict.fromkeys(roots)]
    for space in namespace.known():
        if space.roots == roots and space.is_fresh():
            return space
    return Namespace(roots, everywhere=folder in _originals)


def _from_file(folder: Path, place: str) -> ModuleType:
    path = Path(os.path.normpath(_folder(folder) / place))
    if not path.is_file():
        raise UserError(f"there is no file {path}", hint="The name is FILE.py:NAME.")
    space = namespace_of(folder, place)
    dotted = path.relative_to(package_root(path.parent)).with_suffix("").parts
    if all(part.isidentifier() for part in dotted):
        return importlib.import_module(".".join((space.name, *dotted)))
    name = f"{space.name}.{''.join(c if c.isalnum() else '_' for c in path.stem)}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(
        name, path, loader=namespace.Source(space, name, str(path))
    )
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _from_package(folder: Path, name: str) -> ModuleType:
    if (folder / name).is_file():
        raise UserError(
            f"{folder / name} is no file of Python", hint="Code is imported from files in .py."
        )
    try:
        return namespace_of(folder, name).import_module(name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(f"{PREFIX}")[2].partition(".")[2] or error.name
        if missing and f"{name}.".startswith(f"{missing}."):
            raise UserError(
                f"there is no module '{name}'",
                hint=f"A file of yours is named with its ending, {name}.py:NAME; a package has to "
                "be installed where jobs run.",
            ) from None
        raise


def _manifest(folder: Path) -> dict[str, list[str]]:
    try:
        roots: dict[str, list[str]] = json.loads((folder / MANIFEST).read_text())["roots"]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(
            f"{folder / MANIFEST} is damaged: {error}", hint="Submit the job again, with --new."
        ) from None
    return roots


def _folder(folder: Path) -> Path:
    """Return an absolute path. Symbolic links of originals stay, as Python leaves them."""
    absolute = installed.absolute(folder)
    return absolute if absolute in _originals else absolute.resolve()
