"""Fingerprint of all files that a training begins from: its data, and weights that its model names.

It shows that other data lie under the same path. Files are known by a digest of their bytes,
wherever they lie; beyond MOST_FILES or MOST_BYTES by name, size and time of change. What a library
or the user's code returns is known by digests of its tensors (`DataFacts.contents`). Light.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpc_dl.data.faults import reading, regular_file
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.model import Model
from hpc_dl.run import records
from hpc_dl.run.initial_weights import InitialWeights
from hpc_dl.run.layout import RunDir

if TYPE_CHECKING:
    from hpc_dl.data.source import Source

_FLOATS = "~"
"""Prefix of the digests of floats; see `tensor_digests`."""
_SEED = "\nA function has to return the same each time: give its random numbers a seed."
MOST_FILES = 10_000
"""Of more files only size and time are looked at, and one digest a folder is kept."""
MOST_BYTES = 2**30
"""Of more bytes, of the data or of the model's files, only size and time are looked at."""


@dataclass(frozen=True)
class Fingerprint:
    """Digest of everything, and those of its parts: files, folders or tensors."""

    digest: str
    parts: dict[str, str]

    def difference(self, now: Fingerprint) -> str:
        """Describe what has changed since; empty where nothing has."""
        there, here = self.parts, now.parts
        changes = {
            "changed": [it for it in there if it in here and not _is_equal(there[it], here[it])],
            "added": [it for it in here if it not in there],
            "removed": [it for it in there if it not in here],
        }
        return "; ".join(_count(names, word) for word, names in changes.items() if names)


def take(
    source: Source[Any], model: Model, facts: DataFacts, initial: InitialWeights | None = None
) -> Fingerprint:
    """Return the fingerprint of the files as they are now, and of the `initial` weights.

    Raises UserError for one that cannot be read.
    """
    parts = dict(facts.contents)
    for files in (source.files(), _of_model(model)):
        parts |= _digests(files)
    if len(parts) > MOST_FILES:
        parts = _by_folder(parts)
    if initial:  # whatever their size: a copy or a download has another time
        parts |= {name: _digest_of_bytes(name, it) for name, it in initial.files().items()}
    return Fingerprint(_digest_of_parts(parts), parts)


def check(run: RunDir, now: Fingerprint, facts: DataFacts) -> None:
    """Raise UserError if a run began with other data."""
    then = records.find(run.fingerprint, Fingerprint)
    if then is None:
        sys.stderr.write(
            f"warning: {run.id} has no fingerprint: whether it began with these data is not known\n"
        )
    elif what := then.difference(now):
        raise UserError(
            f"the data of {run.id} have changed since it was submitted: {what}",
            hint="Restore them, or train on the new ones as a new run: hpcdl submit --new."
            + (_SEED if facts.contents else ""),
        )


def files_at(name: str, place: Path) -> dict[str, Path]:
    """Return a file by `name`, or by NAME/PATH all files below a folder."""
    if not place.is_dir():
        return {name: place}
    below = sorted(it for it in place.rglob("*") if it.is_file())
    return {f"{name}/{it.relative_to(place).as_posix()}": it for it in below}


def _of_model(model: Model) -> dict[str, Path]:
    """Return the files that a model's options name and that exist, such as pretrained weights."""
    found: dict[str, Path] = {}
    for key in model.paths:
        place = Path(getattr(model, key) or "").expanduser()
        if getattr(model, key) and place.exists():
            found |= files_at(f"model.{key}", place)
    return found


def _digests(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the digest of each file, or its size and time."""
    with ThreadPoolExecutor() as pool:
        states = list(pool.map(_state, files.keys(), files.values()))
        few = len(files) <= MOST_FILES and sum(it.st_size for it in states) <= MOST_BYTES
        known = (
            pool.map(_digest_of_bytes, files.keys(), files.values())
            if few
            else map(_size_and_time, states)
        )
        return dict(zip(files, known, strict=True))


def _state(name: str, path: Path) -> os.stat_result:
    """Return size and time of a file. Raises UserError for a pipe, which would never end."""
    with reading(name, path, "file"):
        found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        regular_file(name, path)
    return found


def _digest_of_bytes(name: str, path: Path) -> str:
    with reading(name, path, "file"), path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


def _size_and_time(state: os.stat_result) -> str:
    return f"{state.st_size} {state.st_mtime_ns}"


def _by_folder(parts: Mapping[str, str]) -> dict[str, str]:
    """Return one digest a folder, of the names and the digests of its files."""
    folders: dict[str, dict[str, str]] = {}
    for name, digest in parts.items():
        folders.setdefault(f"{name.rpartition('/')[0]}/", {})[name] = digest
    if len(folders) > MOST_FILES:
        return {"the files": _digest_of_parts(parts)}
    return {name: _digest_of_parts(files) for name, files in folders.items()}


def _digest_of_parts(parts: Mapping[str, str]) -> str:
    lines = "".join(f"{name}\0{digest}\n" for name, digest in sorted(parts.items()))
    return hashlib.blake2b(lines.encode(errors="surrogateescape"), digest_size=16).hexdigest()


def _is_equal(one: str, other: str) -> bool:
    """Return whether two digests are equal; those of floats may differ in the last bits."""
    if not one.startswith(_FLOATS) or not other.startswith(_FLOATS):
        return one == other
    try:
        pairs = list(zip(*(map(float, it[1:].split()) for it in (one, other)), strict=True))
    except ValueError:  # a file that is damaged, or of another version
        return False
    return all(math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-5) for a, b in pairs)


def _count(names: list[str], word: str) -> str:
    """Return a sentence like `3 changed, the first is train/cat/1.png`."""
    if len(names) == 1:
        return f"{names[0]} {word}"
    return f"{len(names)} {word}, the first is {min(names)}"
