"""The sources of data that a spec can name, and their options: one file a family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Discriminator, Tag

from hpc_dl.jobspec.base import tag_by_name
from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.sources.arrays import Arrays, Hdf5, Npz
from hpc_dl.jobspec.sources.graphs import Cora, Karate, TorchGeometric
from hpc_dl.jobspec.sources.images import (
    MNIST,
    Digits,
    FashionMNIST,
    GreyImages,
    ImageFolder,
    TorchVision,
)
from hpc_dl.jobspec.sources.own import OwnData
from hpc_dl.jobspec.sources.tables import Csv, Parquet, Table

__all__ = [
    "MNIST",
    "SOURCES",
    "Arrays",
    "Cora",
    "Csv",
    "DataSpec",
    "Digits",
    "FashionMNIST",
    "GreyImages",
    "Hdf5",
    "ImageFolder",
    "Karate",
    "Npz",
    "OwnData",
    "Parquet",
    "Table",
    "TorchGeometric",
    "TorchVision",
]

SOURCES: dict[str, type[Data]] = {
    "digits": Digits,
    "mnist": MNIST,
    "fashion_mnist": FashionMNIST,
    "karate": Karate,
    "cora": Cora,
    "image_folder": ImageFolder,
    "csv": Csv,
    "parquet": Parquet,
    "npz": Npz,
    "hdf5": Hdf5,
    "torchvision": TorchVision,
    "torch_geometric": TorchGeometric,
}
"""Name, or the library that has many, → options."""


if TYPE_CHECKING:
    DataSpec = Data
else:
    DataSpec = Annotated[
        Union[  # noqa: UP007  made of a table
            tuple(Annotated[it, Tag(name)] for name, it in {**SOURCES, "own": OwnData}.items())
        ],
        Discriminator(tag_by_name),
    ]
