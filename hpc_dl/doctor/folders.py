"""Checks of folders that login and compute nodes share: runs, data, the Python environment."""

from __future__ import annotations

import functools
import re
import sys
from pathlib import Path

from hpc_dl.doctor import child
from hpc_dl.doctor.finding import Check, Problem, Result, when
from hpc_dl.doctor.folder_trial import Trial
from hpc_dl.errors import UserError

SECONDS = 20.0
"""Time-out for a folder."""
LITTLE_SPACE, FEW_FILES = 5 * 2**30, 10_000
CLOCK_SECONDS = 5.0
"""A difference of clocks by which ages of files, such as a heartbeat's, are shown wrongly."""
_SHARED = re.compile(
    r"nfs|lustre|gpfs|mmfs|beegfs|ceph|wekafs|panfs|pvfs|orangefs|glusterfs|afs|smb|cifs|9p|virtiofs"
    r"|gfs2|ocfs2|pafs|vast|quobyte|juicefs|daos|moosefs|fhgfs|fuse\.",
    re.IGNORECASE,
)
_OWN = re.compile(r"(ext[234]|xfs|btrfs|zfs|overlay|tmpfs|ramfs|apfs|hfs|f2fs)$")
"""File systems of one machine."""


def checks(run_root: Path, data_root: Path, *, has_nodes: bool) -> dict[str, Check]:
    """Return the checks of folders; `has_nodes` if compute nodes have to see them, too."""
    return {
        "run root": functools.partial(runs, run_root, has_nodes=has_nodes),
        "data root": functools.partial(data, data_root, has_nodes=has_nodes),
        "environment": functools.partial(environment, Path(sys.prefix), has_nodes=has_nodes),
    }


def runs(path: Path, *, has_nodes: bool) -> Result:
    """Check the folder of all runs: written by login and compute nodes, with locks."""
    found = _examine(path)
    if isinstance(found, Problem):
        return Result(str(path), [found])
    elsewhere = "Set run_root in the site's file, or HPCDL_RUN_ROOT, to another file system."
    problems = [
        *_reachable(found, elsewhere, has_nodes=has_nodes),
        *when(found.fault, "fault", f"it cannot be written: {found.fault}", elsewhere),
        *when(
            found.locks == "useless",
            "fault",
            "its locks (flock) do not exclude: two processes had one at the same time",
            elsewhere,
        ),
        *when(
            found.locks == "none",
            "warning",
            "it has no locks (flock), which keep two commands from submitting a run at once",
            "Submit a job from one terminal at a time, or ask the support for the mount option "
            "`flock`.",
        ),
        *when(
            found.record_locks in ("none", "useless"),
            "fault",
            "it has no POSIX locks, which MLflow's SQLite file needs",
            f"{elsewhere} Or use a tracking server: tracking_uri.",
        ),
        *when(
            not found.fault and found.free_bytes < LITTLE_SPACE,
            "warning",
            "little space is free",
            "Remove old runs, or set HPCDL_RUN_ROOT to another file system.",
        ),
        *when(
            found.free_files is not None and found.free_files < FEW_FILES,
            "warning",
            f"only {found.free_files} more files fit",
            "Remove old runs, or set HPCDL_RUN_ROOT to another file system.",
        ),
        *when(
            abs(found.clock_ahead or 0) > CLOCK_SECONDS,
            "warning",
            f"this machine's clock and the file server's differ by {found.clock_ahead or 0:.0f} s",
            "Ages in `hpcdl status` are as wrong. Tell the cluster's support.",
        ),
    ]
    return Result(_described(found), problems)


def data(path: Path, *, has_nodes: bool) -> Result:
    """Check the folder of staged data."""
    found = _examine(path)
    if isinstance(found, Problem):
        return Result(str(path), [found])
    elsewhere = "Set data_root in the site's file, or HPCDL_DATA, to another file system."
    return Result(
        _described(found),
        [
            *_reachable(found, elsewhere, has_nodes=has_nodes),
            *when(
                found.fault and not found.exists,
                "fault",
                f"it is not there, and cannot be made: {found.fault}",
                elsewhere,
            ),
        ],
    )


def environment(path: Path, *, has_nodes: bool) -> Result:
    """Check the folder of this Python environment, which jobs use."""
    found = _examine(path)
    if isinstance(found, Problem):
        return Result(str(path), [found])
    version = ".".join(map(str, sys.version_info[:3]))
    return Result(
        f"Python {version} in {path} ({found.filesystem})",
        _reachable(
            found,
            "Install hpcdl into an environment on a file system that the nodes see.",
            has_nodes=has_nodes,
        ),
    )


def _examine(path: Path) -> Trial | Problem:
    module = "hpc_dl.doctor.folder_trial"
    try:
        return Trial(**child.ask(module, str(path), seconds=SECONDS, who=str(path)))
    except UserError as error:
        return Problem("fault", error.message, "Is its file system mounted? `df` shows it.")


def _reachable(found: Trial, advice: str, *, has_nodes: bool) -> list[Problem]:
    """Return a doubt whether compute nodes see a folder, by the type of its file system."""
    if not has_nodes or not found.filesystem or _SHARED.search(found.filesystem):
        return []
    is_own = _OWN.match(found.filesystem)
    what = "a file system of this machine alone" if is_own else "not known to be shared"
    return [
        Problem(
            "warning" if is_own else "unknown",
            f"{found.filesystem or 'its file system'} at {found.mount} is {what}",
            f"`hpcdl doctor --job` tells whether nodes see it. {advice}" if is_own else
            "`hpcdl doctor --job` tells whether nodes see it.",
        )
    ]  # fmt: skip


def _described(found: Trial) -> str:
    if not found.filesystem:
        return found.path
    there = "" if found.exists else ", not there yet"
    return f"{found.path}{there} ({found.filesystem}, {found.free_bytes / 2**30:.0f} GiB free)"
