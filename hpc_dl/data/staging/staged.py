"""Files of a data set that is staged: whether they are all there, and what to do if not. Light."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hpc_dl.errors import UserError, first_few

Sizes = Mapping[str, int | None]
"""Bytes of each file by its name; None where only an empty one is known to be wrong."""


def find_fault(folder: Path, sizes: Sizes) -> str:
    """Describe the files that are missing or truncated; empty if there are none."""
    if not folder.is_dir():
        near = [it for it in folder.parents[:2] if all((it / name).is_file() for name in sizes)]
        elsewhere = f"; its files lie in {near[0]}, and the root is a folder above" if near else ""
        return f"there is no folder {folder}{elsewhere}"
    there = {name: _size(folder / name) for name in sizes}
    absent = [name for name, size in there.items() if size is None]
    found = [f"no {first_few(absent, 3)} in {folder}"] if absent else []
    for name, size in there.items():
        if size is not None and (size != sizes[name] if sizes[name] else not size):
            wanted = f" instead of {sizes[name]}" if sizes[name] else ""
            found.append(f"{folder / name} has {size} bytes{wanted}")
    return "; ".join(found)


def refuse(name: str, fault: str, folder: Path, sizes: Sizes, root: Path | None, more: str) -> None:
    """Raise UserError if a data set is not staged in a folder; does nothing without a fault.

    `root` is the option of the spec, `more` a note on files that are put there by hand.
    """
    if not fault:
        return
    where = f" --root {root}" if root else ""
    raise UserError(
        f"{name} is not staged: {fault}",
        hint=f"Fetch it on a machine with internet: hpcdl data fetch {name}{where}\n"
        f"Without internet, put {', '.join(sizes)} into {folder}{more}",
    )


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
