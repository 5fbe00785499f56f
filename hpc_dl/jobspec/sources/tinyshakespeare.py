"""Options of tiny Shakespeare."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.running_text import RunningText


class TinyShakespeare(RunningText):
    """1.1 MB of Shakespeare's plays, a usual benchmark of language models."""

    paths: ClassVar[tuple[str, ...]] = ("root",)

    name: Literal["tinyshakespeare"]
    root: str | None = Field(
        None, description="where it is staged; the site's data folder if unset"
    )
