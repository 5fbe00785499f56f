"""Options of the sources of pictures with a class each."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt

from hpc_dl.jobspec.data import Data, Fraction, LibraryData

Size = Annotated[list[PositiveInt], Field(min_length=2, max_length=2)]
"""Height and width."""


def _with_a_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"'{pattern}' is no regular expression: {error}") from None
    if not groups:
        raise ValueError(f"'{pattern}' has no (...) around what names the group")
    return pattern


Pattern = Annotated[str, AfterValidator(_with_a_group)]


class GreyImages(Data):
    """What sources of small grey images share."""

    name: str
    binarize: bool = Field(
        False,
        description="make each pixel 1 with its grey value as probability, drawn once for all runs "
        "(static binarisation)",
    )
    include_classes: list[int | str] | None = Field(
        None,
        min_length=1,
        description="classes to train and validate on alone; the test has the others, too",
    )


class Digits(GreyImages):
    """scikit-learn's 1 797 handwritten digits, 8x8 grey: shipped in its wheel, nothing to fetch."""

    name: Literal["digits"]
    test: Fraction = Field(0.1, description="share of all examples kept for the final test")


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


class ImageFolder(Data):
    """A user's own pictures: ROOT/CLASS/*.png, or ROOT/{train,validation,test}/CLASS/*.png."""

    streams: ClassVar[bool] = True
    manner: ClassVar[set[str]] = {"loading", "workers"}
    paths: ClassVar[tuple[str, ...]] = ("root",)

    name: Literal["image_folder"]
    root: str = Field(description="the folder")
    size: Size = Field([64, 64], description="height and width to resize to, pixels")
    channels: Literal[1, 3] = Field(3, description="1 reads the pictures as grey, 3 as RGB")
    test: Fraction = Field(0.1, description="share kept for the test where there is no test folder")
    groups: Pattern | None = Field(
        None,
        description="a regular expression that is searched for in each path below `root`; pictures "
        "with the same text in its first (...), like a patient's number, are kept in the same "
        "split",
    )
    workers: NonNegativeInt | None = Field(
        None,
        description="processes of each rank that decode pictures while it trains, where they are "
        "streamed; one less than its cores if unset",
    )


class TorchVision(LibraryData):
    """A data set of torchvision with one class a picture; other keys go to its own class."""

    paths: ClassVar[tuple[str, ...]] = ("root",)

    name: str = Field(pattern=r"^torchvision:\w+$", description="torchvision:CIFAR10")
    root: str | None = Field(
        None, description="where it is staged; `torchvision` in the site's data folder if unset"
    )
    size: Size | None = Field(
        None, description="height and width to resize to, pixels; as they are if unset"
    )
    test: Fraction = Field(0.1, description="share kept for the test where there is no test split")
