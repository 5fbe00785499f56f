"""Provenance of a run: git commits and diffs, hpcdl's digest, versions, user, host, command.

What is noted at the first submission stays; each one that resumes the run is added to it.
"""

from __future__ import annotations

import dataclasses
import difflib
import getpass
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hpc_dl.errors import first_few
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import DamagedFile, RunDir, read_json, write_atomic, write_json
from hpc_dl.submission import hpcdl_code
from hpc_dl.submission.hpcdl_code import Code

_PACKAGES = ("hpcdl", "torch", "torchvision", "accelerate", "submitit", "mlflow", "numpy")
_GIT_SECONDS = 20
_DIFF_BYTES = 10 * 2**20
"""A longer diff is cut; what is that long is data and not code."""


def record(run: RunDir, base: Path, data: str, overrides: Sequence[str] = ()) -> None:
    """Write where the code and the data of a new run are from; to that of another, add.

    `base` is the folder of the user's code, `data` the digest of the data, `overrides`
    what was typed beside the job file.
    """
    if _noted(run):
        add_resumption(run)
        return
    found = _repositories(base)
    git = {name: _checkout(folder) for name, folder in found.items()}
    typed = [hidden(word) for word in overrides]
    more = {"overrides": typed, "git": git, "note": _NOTE, "data": data}
    write_json(run.provenance, {**_submission(), **more})
    write_atomic(run.diff, _diff(found))


def add_resumption(run: RunDir) -> None:
    """Add a submission that resumes the run; other code of hpcdl is journalled, with its diff."""
    noted, before = _noted(run), code_of(run)
    earlier = noted.get("resumed")
    resumed = [*(earlier if isinstance(earlier, list) else []), _submission()]
    if before and before != hpcdl_code.current():
        checkout = _repositories(None)
        resumed[-1]["git"] = {name: _checkout(folder) for name, folder in checkout.items()}
        write_atomic(run.path / f"code-{len(resumed)}.diff", _diff(checkout))
        log = Journal(run.journal)
        log.append("warning", message=f"goes on with {difference(run, before)}")
        log.close()
    write_json(run.provenance, {**noted, "resumed": resumed})


def take_over(run: RunDir, former: RunDir, overrides: Sequence[str]) -> None:
    """Write of a run that it is from where `former` is, with other `overrides` besides."""
    noted = _noted(former)
    write_json(run.provenance, {**noted, "overrides": [*noted.get("overrides", []), *overrides]})
    if former.diff.is_file():
        write_atomic(run.diff, former.diff.read_bytes())


def code_of(run: RunDir) -> Code | None:
    """Return the hpcdl of the newest submission; None where it is not known."""
    noted = _noted(run)
    try:
        newest = [noted, *noted.get("resumed", [])][-1]["hpcdl"]
        return Code(str(newest["version"]), str(newest["digest"]))
    except (LookupError, TypeError):
        return None


def difference(run: RunDir, before: Code) -> str:
    """Say how the hpcdl of this process differs from that which a run had `before`."""
    folder = hpcdl_code.package()
    names = hpcdl_code.changed_files(run) if run.hpcdl.is_dir() else _changed_since(run, folder)
    files = f"; different files: {first_few(names, 8)}" if names else ""
    return f"hpcdl {hpcdl_code.current()}, and {run.id} was submitted with {before}{files}"


def _changed_since(run: RunDir, folder: Path) -> list[str]:
    """Return the files of hpcdl that differ from the commit of a run's submission, if it had one
    and this is a checkout."""
    try:
        commit = _noted(run)["git"]["hpcdl"]["commit"]
    except (LookupError, TypeError):
        return []
    changed = _git(folder, "diff", "--name-only", "--relative", str(commit), "--", ".")
    return (changed or "").splitlines()


def _noted(run: RunDir) -> dict[str, Any]:
    """Return what is noted; nothing where the file is missing or damaged."""
    try:
        found = read_json(run.provenance)
    except DamagedFile:
        return {}
    return found if isinstance(found, dict) else {}


_NOTE = (
    "jobs import hpcdl from this folder's hpcdl/, a copy of what it was at submission; the user's "
    "own files from code/"
)


def _repositories(base: Path | None) -> dict[str, Path]:
    """Return the git checkouts that the code comes from: the user's, and hpcdl's if it is one."""
    folders = {"own": base, "hpcdl": hpcdl_code.package()}
    found = {
        name: _git(folder, "rev-parse", "--show-toplevel")
        for name, folder in folders.items()
        if folder
    }
    return {name: Path(top) for name, top in found.items() if top}


def _submission() -> dict[str, Any]:
    """Describe a submission: the versions, and who submitted from where."""
    return {
        "submitted": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [hidden(word) for word in sys.argv],
        "folder": str(Path.cwd()),
        "user": _user(),
        "host": os.uname().nodename,
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "hpcdl": {
            **dataclasses.asdict(hpcdl_code.current()),
            "folder": str(hpcdl_code.package()),
        },
    }


def _checkout(folder: Path) -> dict[str, Any]:
    changes = _git(folder, "status", "--porcelain")
    return {
        "folder": str(folder),
        "commit": _git(folder, "rev-parse", "--verify", "-q", "HEAD"),
        "branch": _git(folder, "symbolic-ref", "--short", "-q", "HEAD"),
        "dirty": None if changes is None else bool(changes),
    }


def _diff(repositories: Mapping[str, Path]) -> str:
    """Return the diff to the commits, with the names of untracked files, and hpcdl's own whole."""
    parts = [_diff_of(folder) for folder in sorted(set(repositories.values()))]
    return hidden("".join(parts))


def _diff_of(folder: Path) -> str:
    tracked = _git(folder, "diff", "HEAD", "--no-color", "--no-ext-diff") or ""
    if len(tracked) > _DIFF_BYTES:
        tracked = f"{tracked[:_DIFF_BYTES]}\n[cut: the diff has {len(tracked)} characters]"
    unknown = (_git(folder, "ls-files", "--others", "--exclude-standard") or "").splitlines()
    names = "".join(f"untracked: {name}\n" for name in unknown)
    added = "".join(_added(folder, name) for name in unknown)
    text = names + (tracked + "\n" if tracked else "") + added
    return f"# {folder}\n{text}" if text else ""


def _added(folder: Path, name: str) -> str:
    """Return an untracked module of hpcdl as a diff; nothing of other files, of which the run has
    those that it needs in code/."""
    path = folder / name
    if path.suffix != ".py" or not path.is_relative_to(hpcdl_code.package()):
        return ""
    lines = path.read_text(errors="replace").splitlines(keepends=True)
    return "".join(difflib.unified_diff([], lines, "/dev/null", f"b/{name}"))


def _git(folder: Path, *words: str) -> str | None:
    """Run git and return what it prints; None if it is missing, fails or takes too long."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            check=True,
            timeout=_GIT_SECONDS,
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
