"""The sources of data that a spec can name, and their options."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Discriminator, Field, NonNegativeInt, PositiveInt, Tag

from hpc_dl.spec.base import tag_by_name
from hpc_dl.spec.data import Data, Fraction


class GreyImages(Data):
    """What sources of small grey images share."""

    name: str
    binarize: bool = Field(
        False,
        description="make each pixel 1 with its grey value as probability, drawn once for all runs "
        "(static binarisation)",
    )
    only: list[int | str] | None = Field(
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

    name: Literal["mnist"]
    root: str | None = Field(
        None, description="where it is staged; the site's data folder if unset"
    )


class FashionMNIST(GreyImages):
    """Fashion-MNIST: 60 000 + 10 000 pictures of clothes, 28x28 grey."""

    name: Literal["fashion_mnist"]
    root: str | None = Field(
        None, description="where it is staged; the site's data folder if unset"
    )


class ImageFolder(Data):
    """A user's own pictures: ROOT/CLASS/*.png, or ROOT/{train,validation,test}/CLASS/*.png."""

    streams: ClassVar[bool] = True
    manner: ClassVar[set[str]] = {"loading", "workers"}

    name: Literal["image_folder"]
    root: str = Field(description="the folder")
    size: list[PositiveInt] = Field(
        [64, 64], min_length=2, max_length=2, description="height and width to resize to, pixels"
    )
    channels: Literal[1, 3] = Field(3, description="1 reads the pictures as grey, 3 as RGB")
    test: Fraction = Field(0.1, description="share kept for the test where there is no test folder")
    workers: NonNegativeInt | None = Field(
        None,
        description="processes of each rank that decode pictures while it trains, where they are "
        "streamed; one less than its cores if unset",
    )


class OwnData(Data):
    """A user's own source, by import path; every other key is handed to it as an option."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(pattern=r"^[^:]+:[A-Za-z_]\w*$", description="my_code.py:my_dataset")

    @property
    def options(self) -> dict[str, Any]:
        """What the user wrote beside the keys that every source has."""
        return dict(self.model_extra or {})


SOURCES: dict[str, type[Data]] = {
    "digits": Digits,
    "mnist": MNIST,
    "fashion_mnist": FashionMNIST,
    "image_folder": ImageFolder,
}


DataSpec = Annotated[
    Annotated[Digits, Tag("digits")]
    | Annotated[MNIST, Tag("mnist")]
    | Annotated[FashionMNIST, Tag("fashion_mnist")]
    | Annotated[ImageFolder, Tag("image_folder")]
    | Annotated[OwnData, Tag("own")],
    Discriminator(tag_by_name),
]
