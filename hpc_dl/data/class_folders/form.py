"""The form of the files in a folder of classes. Light."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """A form of files, such as pictures."""

    noun: str
    """One of them, as messages call it."""
    suffixes: tuple[str, ...]
    """Their suffixes in lower case, the usual one first; those of files may be in any case."""
    no_classes: tuple[str, ...] = ()
    """Names of folders that are no classes in this form."""
    of_folders: bool = False
    """True if a folder below that of a class may be an example of its own."""

    @property
    def nouns(self) -> str:
        return f"{self.noun}s"

    @property
    def pattern(self) -> str:
        """A pattern of file names for a hint."""
        return f"*{self.suffixes[0]}"

    def has(self, name: str) -> bool:
        """Return whether a file's name is that of such a file."""
        return name.lower().endswith(self.suffixes)
