"""Where a command writes its result, checked before anything heavy is imported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hpc_dl.errors import UserError

TABLES = (".csv", ".parquet", ".npz", ".jsonl")
"""Suffixes of files of predictions; `hpc_dl.predictor.results` has their forms."""
FIGURES = (".pdf", ".png", ".svg")
"""Suffixes of figures."""

_OF_FILES = re.compile(
    r"\.(csv|flac|gif|h5|jpe?g|jsonl?|midi?|mp3|np[yz]|parquet|pdf|png|svg|tar|txt|wav|zip)$", re.I
)


def check_folder(out: Path) -> None:
    """Raise UserError for a name that ends like a file's, where a folder will be."""
    if _OF_FILES.search(out.name):
        raise UserError(
            f"{out}: a folder of files will be there, and {out.suffix} is a file's suffix",
            hint=f"-o {out.with_suffix('')}",
        )


def check(out: Path | None, *, force: bool, suffixes: Sequence[str] = ()) -> None:
    """Raise UserError for a file or folder that is there already, or cannot be made there; with
    `suffixes`, also for one that has none of them."""
    if out is None:
        return
    if suffixes and out.suffix.lower() not in suffixes:
        raise UserError(
            f"{out}: the suffix says the form of the file, and {out.suffix or 'none'} is none",
            hint=f"There are: {' '.join(suffixes)}.",
        )
    if out.exists() and not force:
        raise UserError(f"{out} is there already", hint="--force replaces it.")
    if not out.absolute().parent.is_dir():
        raise UserError(f"there is no folder {out.parent}", hint=f"mkdir -p {out.parent}")
