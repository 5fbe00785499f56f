"""Downloads: beside their place, checked, and only then moved there."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from typing import Any

from hpc_dl.data.sources import mnist
from hpc_dl.errors import UserError

STALL_SECONDS = 20.0
"""Most seconds without progress. A firewall that swallows packets lets name servers,
addresses and mirrors time out one after the other, each for minutes."""


def download_mnist(name: str, root: Path) -> None:
    """Download the files of `mnist` or `fashion_mnist` into `root`, with progress on stderr.

    Files that lie there as .gz already are unpacked instead. Raises UserError where the servers do
    not answer, saying which files to put where by hand.
    """
    kind: Any = mnist.torchvision_class(name)
    target = mnist.raw_folder(name, root)
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=".fetching-", dir=root, ignore_cleanup_errors=True
    ) as scratch:
        fresh = mnist.raw_folder(name, Path(scratch))
        fresh.mkdir(parents=True)
        for packed in target.glob("*.gz"):
            shutil.copy(packed, fresh)
        try:
            _run_while_growing(fresh, lambda: kind(scratch, download=True))
        except (OSError, RuntimeError, HTTPException, ValueError, EOFError) as error:
            raise UserError(
                f"{name} could not be fetched: {error}", hint=_by_hand(kind, target)
            ) from None
        for file in mnist.FILES:
            (fresh / file).replace(target / file)


def _run_while_growing(folder: Path, work: Callable[[], object]) -> None:
    """Do the work, for as long as the files in `folder` become more; or raise TimeoutError."""
    outcome: Future[object] = Future()

    def do() -> None:
        try:
            outcome.set_result(work())
        except Exception as error:
            outcome.set_exception(error)

    thread = Thread(target=do, daemon=True)
    thread.start()
    size = _size(folder)
    thread.join(STALL_SECONDS)
    while thread.is_alive():
        before, size = size, _size(folder)
        if size == before:
            raise TimeoutError(f"no answer within {STALL_SECONDS:g} s")
        thread.join(STALL_SECONDS)
    outcome.result()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _by_hand(kind: Any, target: Path) -> str:
    files = "\n".join(f"  {kind.mirrors[0]}{file}" for file, _ in kind.resources)
    return (
        f"Without internet, get these files elsewhere:\n{files}\n"
        f"put them into {target}\nand give the same command again, which unpacks them."
    )
