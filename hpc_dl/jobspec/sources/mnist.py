"""Options of MNIST and Fashion-MNIST."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.image_options import GreyImages


class MNIST(GreyImages):
    """MNIST: 60 000 + 10 000 handwritten digits, 28x28 grey."""

    paths: ClassVar[tuple[str, ...]] = ("root",)
    drawn: ClassVar[tuple[str, ...]] = ("validation",)

    name: Literal["mnist"]
    root: str | None = Field(
        None, description="where it is staged; the site's data folder if unset"
    )


class FashionMNIST(GreyImages):
    """Fashion-MNIST: 60 000 + 10 000 pictures of clothes, 28x28 grey."""

    paths: ClassVar[tuple[str, ...]] = ("root",)
    drawn: ClassVar[tuple[str, ...]] = ("validation",)

    name: Literal["fashion_mnist"]
    root: str | None = Field(
        None, description="where it is staged; the site's data folder if unset"
    )
