"""Files of a data set that is staged: whether they are all there, and what to do if not. Light."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from hpc_dl.errors import UserError, first_few

Sizes = Mapping[str, int | None]
"""Bytes of each file by its name; None where only an empty one is known to be wrong."""


class StagedFiles:
    """Part of a source whose files lie below `data.root`, or below the site's data folder."""

    fetches: ClassVar[bool] = True
    options: Any
    data_root: Path

    @property
    def root(self) -> Path:
        """The folder that the library is given."""
        root = self.options.root
        return Path(root).expanduser() if root else self.data_root / self.options.name

    @property
    @abstractmethod
    def folder(self) -> Path:
        """The folder of the files, below the root."""

    @property
    @abstractmethod
    def sizes(self) -> Sizes:
        """The files in the folder."""

    def files(self) -> dict[str, Path]:
        return {name: self.folder / name for name in self.sizes}

    def find_fault(self) -> str:
        """Describe the files that are missing or truncated; empty if there are none."""
        folder, sizes = self.folder, self.sizes
        if not folder.is_dir():
            return f"there is no folder {folder}"
        there = {name: _size(folder / name) for name in sizes}
        absent = [name for name, size in there.items() if size is None]
        found = [f"no {first_few(absent, 3)} in {folder}"] if absent else []
        for name, size in there.items():
            if size is not None and (size != sizes[name] if sizes[name] else not size):
                wanted = f" instead of {sizes[name]}" if sizes[name] else ""
                found.append(f"{folder / name} has {size} bytes{wanted}")
        return "; ".join(found)

    @property
    def urls(self) -> Mapping[str, str]:
        """Where each file is to be had, by its name; several may be of one archive."""
        raise NotImplementedError

    def check(self, folder: Path) -> None:
        """Raise UserError or ValueError where downloaded files are not those of the data set."""

    def fetch(self) -> None:
        from hpc_dl.data.staging import download

        download.fetch(self.options.name, self.folder, self.root, self.urls, self.check)

    def refuse_absent(self, by_hand: str) -> None:
        """Raise UserError if not all files are there.

        `by_hand` ends the sentence on files that are put there without internet.
        """
        if not (fault := self.find_fault()):
            return
        name, where = self.options.name, f" --root {self.root}" if self.options.root else ""
        raise UserError(
            f"{name} is not staged: {fault}",
            hint=self._find_nearby()
            or f"Fetch it on a machine with internet: hpcdl data fetch {name}{where}\n"
            f"Without internet, put {first_few(self.sizes, 8)} into {self.folder}{by_hand}",
        )

    def _find_nearby(self) -> str:
        """Say what to do where the root is a folder too deep, or the files lie in it directly."""
        below = self.folder.relative_to(self.root)
        for root in self.root.parents[: len(below.parts)]:
            if self._are_in(root / below):
                return f"Its files lie in {root / below}: that is data.root: {root}"
        if self._are_in(self.root):
            return f"Its files lie in {self.root}. Move them into {self.folder}"
        return ""

    def _are_in(self, folder: Path) -> bool:
        return all((folder / name).is_file() for name in self.sizes)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
