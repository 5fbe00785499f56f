"""Options of Planetoid's three graphs of papers."""

from __future__ import annotations

from typing import ClassVar, Literal

from hpc_dl.jobspec.data import StagedData
from hpc_dl.jobspec.facts import Modality, Task


class Planetoid(StagedData):
    """Options of papers that cite each other, in Planetoid's split."""

    modalities: ClassVar[tuple[Modality, ...]] = ("graph",)
    tasks: ClassVar[tuple[Task, ...]] = ("classify_nodes",)
    drawn: ClassVar[tuple[str, ...]] = ()

    name: str


class Cora(Planetoid):
    """Cora: 2 708 papers of 7 fields that cite each other; Planetoid's split, 140 + 500 + 1 000."""

    name: Literal["cora"]


class Citeseer(Planetoid):
    """Citeseer: 3 327 papers of 6 fields that cite each other; split 120 + 500 + 1 000."""

    name: Literal["citeseer"]


class Pubmed(Planetoid):
    """Pubmed: 19 717 papers on 3 kinds of diabetes that cite each other; split 60 + 500 + 1 000."""

    name: Literal["pubmed"]
