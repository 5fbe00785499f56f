"""What a user types for tests: a small job spec, in a folder of its own, and `hpcdl` on it."""

import os
import subprocess
import sys
from pathlib import Path

QUICK = """\
name: quick
model: {name: ffnn, hidden: [32]}
data: {name: digits}
train: {epochs: 2, log_every: 5}
resources: {cpus_per_task: 1, time: 00:10:00}
"""
"""A job that trains in a second."""


def job_file(folder: Path, text: str = QUICK) -> str:
    """A job spec in `folder`, as a user would name it."""
    path = folder / "job.yaml"
    path.write_text(text)
    return str(path)


def hpcdl(*words: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """`hpcdl WORDS` in a process of its own; its exit code is the caller's to judge."""
    return subprocess.run(
        [sys.executable, "-m", "hpc_dl", *words],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=os.environ,
    )


def settings(root: Path) -> dict[str, str]:
    """Environment variables that keep hpcdl to folders under `root`."""
    return {
        "HPCDL_RUN_ROOT": str(root / "runs"),
        "HPCDL_SITE": "generic",
        "TMPDIR": str(root),
        "XDG_CONFIG_HOME": str(root / "config"),
    }
