"""Options of Zachary's karate club."""

from __future__ import annotations

from typing import ClassVar, Literal

from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.facts import Modality, Task


class Karate(Data):
    """Zachary's karate club: 34 members in 4 groups, of each of which one is known."""

    modalities: ClassVar[tuple[Modality, ...]] = ("graph",)
    tasks: ClassVar[tuple[Task, ...]] = ("classify_nodes",)
    drawn: ClassVar[tuple[str, ...]] = ()

    name: Literal["karate"]
