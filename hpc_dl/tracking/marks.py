"""Mark of a journal in its MLflow run, which tells copies of a run folder apart.

Copies have the same journal up to where they were copied, and each may be trained on. An MLflow run
is that of the journal with the bytes that it has got last, wherever this lies by now. A copy that
goes on beside the original, or after another copy did, gets an MLflow run of its own.
"""

from __future__ import annotations

import hashlib

from hpc_dl.run.layout import RunDir
from hpc_dl.tracking import cursor

TAG = "hpcdl.journal"
_BYTES = 4096
"""Before the mark, which are digested: some lines, each with its time."""


def make(run: RunDir, end: int) -> str:
    """Return the mark of the journal's first `end` bytes: their number and a digest of the last."""
    with run.journal.open("rb") as file:
        file.seek(max(0, end - _BYTES))
        digest = hashlib.sha256(file.read(min(end, _BYTES))).hexdigest()
    return f"{end} {digest[:32]}"


def fits(run: RunDir, mark: str) -> bool:
    """Return whether the journal holds what the mark was made of."""
    return 0 < size(mark) <= cursor.journal_size(run) and make(run, size(mark)) == mark


def size(mark: str) -> int:
    """Return the number of bytes that a mark was made of; 0 for none."""
    end, _, _ = mark.partition(" ")
    return int(end) if end.isdecimal() else 0
