"""Names of libraries' data sets, read from their source: the login node imports no library."""

from __future__ import annotations

import ast
import functools
from importlib.util import find_spec
from pathlib import Path


@functools.cache
def dataset_classes(library: str) -> tuple[str, ...]:
    """Return the classes of `LIBRARY.datasets`; none where the library is not installed."""
    found = find_spec(library)  # of a package at the top, which imports nothing
    for folder in (found and found.submodule_search_locations) or ():
        try:
            source = (Path(folder) / "datasets" / "__init__.py").read_bytes()
            imported = [it for it in ast.parse(source).body if isinstance(it, ast.ImportFrom)]
        except (OSError, SyntaxError):
            continue
        names = (alias.name for statement in imported for alias in statement.names)
        return tuple(name for name in names if name[:1].isupper())
    return ()
