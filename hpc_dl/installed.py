"""Which modules and files are installed ones, and which are the user's own."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from pathlib import Path

RESERVED = sys.stdlib_module_names | {
    "hpc_dl", "torch", "torchvision", "accelerate", "submitit", "mlflow", "pydantic", "yaml",
    "rich", "psutil", "numpy", "PIL", "sklearn", "matplotlib", "torchmetrics", "torch_geometric",
    "networkx", "h5py", "pandas", "pyarrow",
}  # fmt: skip
"""Modules that are always the installed ones, also beside a user's file of such a name: they are
imported before the user's code is."""

_INSTALLED_IN = {"site-packages", "dist-packages"}


def absolute(path: str | Path) -> Path:
    """An absolute path without `..`, whose symbolic links stay as Python's imports leave them."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def is_users(path: Path) -> bool:
    """Whether a file or a folder is neither installed nor a part of the system."""
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
