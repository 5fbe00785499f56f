"""Sources of data: one file each, of the name of the file of its options. Light."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpc_dl.data.source import Fitted, Source
from hpc_dl.jobspec import registry
from hpc_dl.jobspec.data import Data


def build(
    options: Data, data_root: Path, code: Path = Path(), fitted: Fitted | None = None
) -> Source[Any]:
    """Return the source with these options; see `Source` for the others."""
    return class_for(type(options))(options, data_root, code, fitted)


def class_for(options: type[Data]) -> type[Source[Any]]:
    """Return the one subclass of `Source` in the module that belongs to the options."""
    shipped = f"{__name__}.{options.__module__.rpartition('.')[2]}"
    return registry.subclass_in(options.source_module or shipped, Source)  # type: ignore[type-abstract]
