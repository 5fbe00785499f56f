"""Options of MNIST and Fashion-MNIST."""

from __future__ import annotations

from typing import ClassVar, Literal

from hpc_dl.jobspec.data import StagedData
from hpc_dl.jobspec.image_options import GreyImages


class MNIST(StagedData, GreyImages):
    """MNIST: 60 000 + 10 000 handwritten digits, 28x28 grey."""

    drawn: ClassVar[tuple[str, ...]] = ("validation",)

    name: Literal["mnist"]


class FashionMNIST(StagedData, GreyImages):
    """Fashion-MNIST: 60 000 + 10 000 pictures of clothes, 28x28 grey."""

    licence: ClassVar[str] = "MIT"
    drawn: ClassVar[tuple[str, ...]] = ("validation",)

    name: Literal["fashion_mnist"]
