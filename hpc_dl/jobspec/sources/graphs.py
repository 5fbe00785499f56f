"""Options of the sources of graphs."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.data import Data, Fraction, LibraryData
from hpc_dl.jobspec.model import Modality, Task


class Karate(Data):
    """Zachary's karate club: 34 members in 4 groups, of each of which one is known."""

    modalities: ClassVar[tuple[Modality, ...]] = ("graph",)
    tasks: ClassVar[tuple[Task, ...]] = ("classify_nodes",)
    drawn: ClassVar[tuple[str, ...]] = ()

    name: Literal["karate"]


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


class TorchGeometric(LibraryData):
    """A data set of torch_geometric, of one graph or many; other keys go to its own class."""

    modalities: ClassVar[tuple[Modality, ...]] = ("graph",)
    tasks: ClassVar[tuple[Task, ...]] = ("classify_nodes", "classify", "regress")
    paths: ClassVar[tuple[str, ...]] = ("root",)

    name: str = Field(
        pattern=r"^torch_geometric:\w+(:[\w-]+)?$",
        description="torch_geometric:TUDataset:MUTAG; what follows the second colon is the `name` "
        "that the class takes",
    )
    root: str | None = Field(
        None, description="where it is staged; `torch_geometric` in the site's data folder if unset"
    )
    test: Fraction = Field(0.1, description="share kept for the test where none is marked")
