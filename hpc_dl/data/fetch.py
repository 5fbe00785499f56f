"""Staging a data set: downloaded beside its place, checked, and only then put there. Light."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path

from hpc_dl.data import staged
from hpc_dl.errors import UserError

SECONDS = 30.0
"""How long a server may keep silent."""


def fetch(name: str, root: Path) -> str:
    """Stage a data set in `root`; returns what became of it.

    Raises UserError for one that cannot be fetched, and without internet, saying which files to
    put where by hand.
    """
    if name == "digits":
        return "nothing to fetch, it is shipped with scikit-learn"
    if name not in staged.IDX_FOLDER:
        fetchable = ", ".join(staged.IDX_FOLDER)
        raise UserError(f"'{name}' is nothing to fetch", hint=f"Can be fetched: {fetchable}.")
    try:
        staged.check_idx_files(name, root)
    except UserError:
        _download(name, root)
        return "staged"
    return "was staged already"


def _download(name: str, root: Path) -> None:
    from hpc_dl.data import mnist

    folder = Path(staged.IDX_FOLDER[name])
    socket.setdefaulttimeout(SECONDS)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=root) as temporary:
            mnist.download(name, Path(temporary))
            staged.check_idx_files(name, Path(temporary))
            target = root / folder
            target.mkdir(parents=True, exist_ok=True)
            for file in staged.IDX_FILES:
                os.replace(Path(temporary, folder, file), target / file)  # noqa: PTH105
    except (OSError, RuntimeError) as error:
        shutil.rmtree(root / folder, ignore_errors=True)
        raise UserError(
            f"{name} could not be fetched: {error}",
            hint="Without internet, get the four files elsewhere, unpack them, and put\n"
            f"{', '.join(staged.IDX_FILES)}\ninto {root / folder}.",
        ) from None
