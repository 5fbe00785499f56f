"""Options of torch_geometric's data sets."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hpc_dl.jobspec.data import Fraction, LibraryData
from hpc_dl.jobspec.model import Modality, Task


class TorchGeometric(LibraryData):
    """A data set of torch_geometric, of one graph or many; other keys go to its own class."""

    library: ClassVar[str] = "torch_geometric"
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
