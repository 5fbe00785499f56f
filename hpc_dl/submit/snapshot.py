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
from hpc_dl.spec.job import JobSpec
from hpc_dl.spec.model import OwnModel
from hpc_dl.spec.sources import OwnData


def take(run: RunDir, spec: JobSpec, base: Path) -> None:
    """Copy the files that `spec` names, relative to `base`, into the run folder, anew."""
    shutil.rmtree(run.code, ignore_errors=True)
    for part in (spec.model, spec.data):
        file = part.name.rpartition(":")[0] if isinstance(part, OwnModel | OwnData) else ""
        if file.endswith(".py"):
            _copy_with_imports(base / file, run.code)


def renamed(spec: JobSpec) -> JobSpec:
    """The spec with the user's own files under the names that their copies have."""
    changes = {}
    for key, part in (("model", spec.model), ("data", spec.data)):
        if isinstance(part, OwnModel | OwnData):
            file, _, name = part.name.rpartition(":")
            own = f"{Path(file).name}:{name}" if file.endswith(".py") else part.name
            changes[key] = part.model_copy(update={"name": own})
    return spec.model_copy(update=changes)


def _copy_with_imports(path: Path, folder: Path) -> None:
    if not path.is_file():
        raise UserError(f"there is no file {path}", hint="The name is FILE.py:NAME.")
    path = path.resolve()
    for source in _with_imports(path, path.parent):
        _copy(source, folder / source.relative_to(path.parent))


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
