"""Installed packages: what they add to hpcdl, and which files are theirs, not the user's."""

from __future__ import annotations

import functools
import importlib
import os
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from hpc_dl.errors import UserError

Class = TypeVar("Class")

RESERVED = sys.stdlib_module_names | {
    "hpc_dl", "torch", "torchvision", "accelerate", "submitit", "mlflow", "pydantic", "yaml",
    "rich", "psutil", "numpy", "PIL", "sklearn", "matplotlib", "torchmetrics", "torch_geometric",
    "networkx", "h5py", "pandas", "pyarrow",
}  # fmt: skip
"""Modules that are always the installed ones, also beside a user's file of such a name: they are
imported before the user's code is."""

PYTHON = [sys.executable, "-P"]
"""The command for another Python process, in which files of the working folder are no modules: a
user's random.py there would hide Python's own."""
_INSTALLED_IN = {"site-packages", "dist-packages"}


def plugins(group: str, base: type[Class]) -> Iterator[type[Class]]:
    """Import the subclasses of `base` that installed packages add by entry points of a group.

    One that cannot be imported, or is none, is left out with a warning: it may be a package that
    the job at hand does not need.
    """
    for point in sorted(entry_points(group=group)):
        try:
            found = point.load()
        except Exception as error:
            sys.stderr.write(f"warning: {group}: {point.value} cannot be imported: {error}\n")
            continue
        if isinstance(found, type) and issubclass(found, base):
            yield found
        else:
            sys.stderr.write(f"warning: {group}: {point.value} is no {base.__name__}\n")


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module of one of hpcdl's extras, such as `audio`.

    Raises UserError with pip's command where it is not installed; `purpose` says what needs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise UserError(
            f"{purpose} needs the package {module.partition('.')[0]}, which is not installed",
            hint=f"pip install 'hpcdl[{extra}]'",
        ) from None


def absolute(path: str | Path) -> Path:
    """Return an absolute path without `..`; symbolic links stay, as Python's imports leave them."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def is_users(path: Path) -> bool:
    """Return whether a file or a folder is neither installed nor a part of the system."""
    path = absolute(path)
    both = {path, path.resolve()}
    return not any(
        _INSTALLED_IN.intersection(it.parts) or any(it.is_relative_to(own) for own in _system())
        for it in both
    )


@functools.cache
def _system() -> tuple[Path, ...]:
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    named = [Path(folder) for folder in folders if folder]
    named += [Path(__file__).parent, *map(Path, ("/usr", "/etc", "/proc", "/sys", "/dev", "/bin"))]
    zipped = [Path(entry) for entry in sys.path if entry.endswith(".zip")]
    return tuple({it for path in [*named, *zipped] for it in (path, path.resolve())})
