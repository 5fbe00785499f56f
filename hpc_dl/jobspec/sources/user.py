"""Options of a user's own source."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hpc_dl.jobspec.base import REFERENCE
from hpc_dl.jobspec.data import LibraryData
from hpc_dl.jobspec.facts import Modality, Task


class UserData(LibraryData):
    """A user's own source, by import path; every other key is handed to it as an option."""

    modalities: ClassVar[tuple[Modality, ...]] = ("image", "sequence", "table", "graph")
    tasks: ClassVar[tuple[Task, ...]] = ("classify", "classify_nodes", "regress")

    name: str = Field(pattern=REFERENCE, description="my_code.py:my_dataset")
