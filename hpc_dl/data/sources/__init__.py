"""Sources of data: one file each, of the name of the file of its options. Light."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpc_dl.data.source import Source
from hpc_dl.jobspec import registry
from hpc_dl.jobspec.data import Data


def build(options: Data, data_root: Path, code: Path = Path()) -> Source[Any]:
    """Return the source with these options.

    `data_root` is the folder of staged data, `code` that of the user's own files.
    """
    return class_for(type(options))(options, data_root, code)


def class_for(options: type[Data]) -> type[Source[Any]]:
    """Return the one subclass of `Source` in the module that belongs to the options."""
    shipped = f"{__name__}.{options.__module__.rpartition('.')[2]}"
    return registry.subclass_in(options.source_module or shipped, Source)  # type: ignore[type-abstract]
