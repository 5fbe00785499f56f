"""The user's own model and data files, and what they import from beside them, copied into the run.

So an edit after the submission changes nothing about a run that waits in the queue.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.rundir import RunDir
from hpc_dl.spec.data import OwnData
from hpc_dl.spec.job import JobSpec
from hpc_dl.spec.models import OwnModel


def take(run: RunDir, spec: JobSpec, base: Path) -> JobSpec:
    """Copy the files that `spec` names, relative to `base`; the spec that names the copies."""
    changes = {}
    for key, part in (("model", spec.model), ("data", spec.data)):
        if isinstance(part, OwnModel | OwnData) and (name := _copied(run, part.name, base)):
            changes[key] = part.model_copy(update={"name": name})
    return spec.model_copy(update=changes)


def _copied(run: RunDir, reference: str, base: Path) -> str | None:
    """The reference to the copy, or None for an installed package, which stays where it is."""
    place, _, name = reference.rpartition(":")
    if not place.endswith(".py"):
        return None
    path = base / place
    if not path.is_file():
        raise UserError(f"there is no file {path}", hint="The name is FILE.py:NAME.")
    for source in _with_imports(path.resolve(), path.resolve().parent):
        _copy(source, run.code / source.relative_to(path.resolve().parent))
    return f"{path.name}:{name}"


def _with_imports(path: Path, folder: Path) -> set[Path]:
    """The file and, in turn, the modules and packages of `folder` that it imports."""
    found, waiting = {path}, [path]
    while waiting:
        for name in set(_imported(waiting.pop())) - {"hpc_dl"}:
            package = folder / name
            files = package.rglob("*.py") if package.is_dir() else [package.with_suffix(".py")]
            fresh = {file for file in files if file.is_file()} - found
            found |= fresh
            waiting += fresh
    return found


def _imported(path: Path) -> Iterator[str]:
    """The first parts of all names that a file imports."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError as error:
        raise UserError(f"{path}:{error.lineno}: {error.msg}") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def _copy(source: Path, target: Path) -> None:
    if target.exists() and target.read_bytes() != source.read_bytes():
        raise UserError(
            f"{source} and another file of the run are both called {target.name}",
            hint="Rename one, or keep what the run needs in one folder.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
