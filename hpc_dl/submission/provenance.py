"""Provenance of a run: git commits and diffs, hpcdl's digest, versions, user, host, command."""

from __future__ import annotations

import getpass
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import hpc_dl
from hpc_dl.errors import UserError
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.run.layout import RunDir, read_json

_PACKAGES = ("hpcdl", "torch", "torchvision", "accelerate", "submitit", "mlflow", "numpy")
_GIT_SECONDS = 20
_DIFF_BYTES = 10 * 2**20
"""A longer diff is cut; what is that long is data and not code."""


def repositories(base: Path) -> dict[str, Path]:
    """Return the git checkouts that the code comes from: the user's, and hpcdl's if it is one."""
    folders = {"own": base, "hpcdl": Path(hpc_dl.__file__).parent}
    found = {name: _git(folder, "rev-parse", "--show-toplevel") for name, folder in folders.items()}
    return {name: Path(top) for name, top in found.items() if top}


def describe(repositories: dict[str, Path]) -> dict[str, Any]:
    """Describe the code at submission: its versions, and who submitted it from where."""
    return {
        "command": [hidden(word) for word in sys.argv],
        "folder": str(Path.cwd()),
        "user": _user(),
        "host": os.uname().nodename,
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "hpcdl": _own_code(),
        "git": {name: _checkout(folder) for name, folder in repositories.items()},
        "note": "hpcdl itself is imported from where it is installed when the job starts; the "
        "user's own files from this folder's code/.",
    }


def diff(repositories: dict[str, Path]) -> str:
    """Return the diff to the commits, with the names of untracked files."""
    return "".join(hidden(_diff(folder)) for folder in sorted(set(repositories.values())))


def hpcdl_has_changed(run: RunDir) -> str:
    """Say how hpcdl differs from that of the run's submission; empty if it does not, or is unknown.

    What was installed meanwhile trains the rest of a run, also after a requeue that nobody watches.
    """
    try:
        noted = read_json(run.provenance)["hpcdl"]
        before = {key: str(noted[key]) for key in ("version", "digest")}
    except (UserError, OSError, LookupError, TypeError):
        return ""
    now = _own_code()
    if now["digest"] == before["digest"]:
        return ""
    then, here = (f"{it['version']} ({it['digest'][:12]})" for it in (before, now))
    return f"hpcdl is {here} now, and was {then} when {run.id} was submitted; see provenance.json"


def _own_code() -> dict[str, str]:
    """Return the version of hpcdl, its folder, and the SHA-256 of its Python files' digests.

    Of an installation that is edited the version stays the same, and the digest does not.
    """
    folder, whole = Path(hpc_dl.__file__).parent, hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        whole.update(f"{path.relative_to(folder)}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return {"version": hpc_dl.__version__, "folder": str(folder), "digest": whole.hexdigest()}


def _checkout(folder: Path) -> dict[str, Any]:
    changes = _git(folder, "status", "--porcelain")
    return {
        "folder": str(folder),
        "commit": _git(folder, "rev-parse", "--verify", "-q", "HEAD"),
        "dirty": None if changes is None else bool(changes),
    }


def _diff(folder: Path) -> str:
    tracked = _git(folder, "diff", "HEAD", "--no-color", "--no-ext-diff") or ""
    if len(tracked) > _DIFF_BYTES:
        tracked = f"{tracked[:_DIFF_BYTES]}\n[cut: the diff has {len(tracked)} characters]"
    unknown = _git(folder, "ls-files", "--others", "--exclude-standard") or ""
    names = "".join(f"untracked: {name}\n" for name in unknown.splitlines())
    text = names + (tracked + "\n" if tracked else "")
    return f"# {folder}\n{text}" if text else ""


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
