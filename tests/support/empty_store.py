"""An empty MLflow store, created once per session and copied, since creating one takes seconds."""

import contextlib
import fcntl
import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hpc_dl.tracking import relocation

FOLDER = "HPCDL_TEST_STORE"
"""The variable that tells xdist's workers the folder of the session's empty store."""
OWN = pytest.StashKey[Path]()

MAKE = """
import sys
from hpc_dl.tracking import store
with store.open_store("sqlite:///" + sys.argv[1]) as client:
    client.search_experiments()
"""


def made() -> Path:
    """Return the empty store; the first caller creates it, the others wait."""
    folder = Path(os.environ[FOLDER])
    store = folder / "mlflow.db"
    with (folder / "making").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not store.exists():
            half = folder / "half.db"
            subprocess.run([sys.executable, "-c", MAKE, str(half)], check=True, timeout=120)
            half.rename(store)
    return store


def put(root: Path) -> None:
    """Copy the empty store into `root`, unless there is a store."""
    root.mkdir(parents=True, exist_ok=True)
    if not (root / "mlflow.db").exists():
        shutil.copy(made(), root)
        with contextlib.redirect_stderr(io.StringIO()):
            relocation.repair(root / "mlflow.db", root / "mlartifacts")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the folder once, before xdist's workers start and inherit the environment."""
    if not hasattr(config, "workerinput"):
        config.stash[OWN] = Path(tempfile.mkdtemp(prefix="hpcdl-empty-store-"))
        os.environ[FOLDER] = str(config.stash[OWN])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove it, after the last worker has ended."""
    if own := config.stash.get(OWN, None):
        shutil.rmtree(own)
