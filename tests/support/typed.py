"""The command line for tests: a small job spec, and `hpcdl` in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

QUICK = """\
name: quick
model: {name: ffnn, hidden: [32]}
data: {name: digits}
train: {epochs: 2, log_every: 5}
resources: {cpus_per_task: 1, time: 00:10:00}
"""
"""A job that trains in a second."""


def job_file(folder: Path, text: str = QUICK) -> str:
    """Write a job spec into `folder`; return its path."""
    path = folder / "job.yaml"
    path.write_text(text)
    return str(path)


def hpcdl(*words: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run `hpcdl WORDS` in a process of its own; a failure raises nothing."""
    return subprocess.run(
        [sys.executable, "-m", "hpc_dl", *words],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=os.environ,
    )


def use_settings(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """Set the environment variables that keep hpcdl to folders under `root`."""
    for name, value in settings(root).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # the store is beside the runs


def settings(root: Path) -> dict[str, str]:
    """Return environment variables that keep hpcdl to folders under `root`."""
    return {
        "HPCDL_RUN_ROOT": str(root / "runs"),
        "HPCDL_SITE": "generic",
        "TMPDIR": str(root),
        "XDG_CONFIG_HOME": str(root / "config"),
    }
