"""List the sources for `hpcdl data list` and `hpcdl data fetch`. Light."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hpc_dl.data import sources
from hpc_dl.data.source import Source, Staging
from hpc_dl.errors import UserError
from hpc_dl.jobspec.data import Data, LibraryData
from hpc_dl.jobspec.sources import SOURCES
from hpc_dl.jobspec.suggestions import closest_name


@dataclass(frozen=True)
class Listing:
    """One source. `examples` and `staged` are None where that is for the spec to say."""

    name: str
    kind: str
    task: str
    examples: int | None
    staged: bool | None
    where: str
    about: str


def listing(data_root: Path) -> list[Listing]:
    """Return a row for each source; `data_root` is the folder of staged data."""
    return [_line(name, options, data_root) for name, options in SOURCES.items()]


def _line(name: str, options: type[Data], data_root: Path) -> Listing:
    it = _staging(name, options, data_root)
    kinds, tasks = ", ".join(options.modalities), ", ".join(options.tasks)
    about = (options.__doc__ or "").splitlines()[0]
    shown = f"{name}:NAME" if issubclass(options, LibraryData) and options.library else name
    return Listing(shown, kinds, tasks, it.examples, it.staged, it.where, about)


def source_to_fetch(name: str, data_root: Path, root: Path | None = None) -> Source[Any]:
    """Return a source that is staged or can be, under `root` or else the site's data folder.

    Raises UserError for any other.
    """
    if name in SOURCES:
        place = {} if root is None else {"root": str(root)}
        with contextlib.suppress(ValidationError):  # it needs options
            source = sources.build(SOURCES[name].model_validate({"name": name, **place}), data_root)
            if source.fetches or source.staging().staged:
                return source
    able = [name for name, options in SOURCES.items() if sources.class_for(options).fetches]
    guess = closest_name("data", name, able, [])
    hint = f"Can be fetched: {', '.join(able)}."
    library = SOURCES.get(name.partition(":")[0])
    if library is not None and issubclass(library, LibraryData):
        hint += " A library fetches its own data sets; the plan of a job that names one says how."
    raise UserError(f"'{name}' cannot be fetched{guess}", hint=hint)


def _staging(name: str, options: type[Data], data_root: Path) -> Staging:
    """Return where the data are, or which option names their place."""
    try:
        return sources.build(options.model_validate({"name": name}), data_root).staging()
    except ValidationError:
        return Staging(f"data.{options.paths[0]} of the spec" if options.paths else "")
