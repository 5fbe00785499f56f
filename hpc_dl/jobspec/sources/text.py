"""Options of a text file."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.running_text import RunningText


class Text(RunningText):
    """A text, of which each next character is predicted; the opening of a play is shipped."""

    paths: ClassVar[tuple[str, ...]] = ("path",)

    name: Literal["text"]
    path: str | None = Field(
        None,
        description="the file, in UTF-8, or a folder of .txt files, whose texts follow each other "
        "by their names; a shipped one if unset",
    )
