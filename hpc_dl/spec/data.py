"""The sources of data that a spec can name: their options, kind, task and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    NonNegativeInt,
    PositiveInt,
    Tag,
    field_validator,
)

from hpc_dl.spec.base import Spec, tag_by_name
from hpc_dl.spec.models import Kind, Task

Fraction = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True)
class DataFacts:
    """What is known of a source before training: what the plan and the architecture need.

    `shape` is that of one example, for images (channels, height, width).
    """

    kind: Kind
    task: Task
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    train: int
    validation: int
    test: int


class Augment(Spec):
    """Random changes to the pictures that are trained on, drawn anew each time."""

    crop: NonNegativeInt = Field(
        0, description="pixels of black border, out of which the old size is cut at random"
    )
    flip: bool = Field(False, description="mirror a picture, left to right, half of the time")
    noise: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="standard deviation of Gaussian noise; pixels lie in [0, 1]"
    )


class Data(Spec):
    """What every source shares."""

    kind: ClassVar[Kind] = "image"
    task: ClassVar[Task] = "classify"
    streams: ClassVar[bool] = False
    """Whether its examples can be read while training."""
    manner: ClassVar[set[str]] = {"loading"}
    """Options that change no batch."""

    batch_size: PositiveInt = Field(
        128, description="examples in a global batch, all ranks together"
    )
    validation: Fraction = Field(0.1, description="share of the training examples held out")
    augment: Augment | None = None
    loading: Literal["auto", "resident", "streaming"] = Field(
        "auto",
        description="all examples in memory, or read while training; by their size if `auto`",
    )

    @field_validator("loading")
    @classmethod
    def _can_be_streamed(cls, loading: str) -> str:
        if loading == "streaming" and not cls.streams:
            able = ", ".join(name for name, source in SOURCES.items() if source.streams)
            raise ValueError(f"this source is held in memory; those that stream: {able}")
        return loading


class Digits(Data):
    """scikit-learn's 1 797 handwritten digits, 8x8 grey: shipped in its wheel, nothing to fetch."""

    name: Literal["digits"]
    test: Fraction = Field(0.1, description="share of all examples kept for the final test")


class MNIST(Data):
    """MNIST: 60 000 + 10 000 handwritten digits, 28x28 grey."""

    name: Literal["mnist"]
    root: str | None = Field(
        None, description="where it is staged; the site's data folder if unset"
    )


class FashionMNIST(Data):
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
