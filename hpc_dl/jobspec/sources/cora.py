"""Options of Cora."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.model import Modality, Task


class Cora(Data):
    """Cora: 2 708 papers of 7 fields that cite each other; Planetoid's split, 140 + 500 + 1 000."""

    modalities: ClassVar[tuple[Modality, ...]] = ("graph",)
    tasks: ClassVar[tuple[Task, ...]] = ("classify_nodes",)
    drawn: ClassVar[tuple[str, ...]] = ()
    paths: ClassVar[tuple[str, ...]] = ("root",)

    name: Literal["cora"]
    root: str | None = Field(
        None, description="the folder of Cora/raw; the site's data folder if unset"
    )
