"""Options that several sources of pictures share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.data import Data

Size = Annotated[list[PositiveInt], Field(min_length=2, max_length=2)]
"""Height and width."""


class ImageSet(Data):
    """Options of sets of images that go by a name."""

    name: str
    include_classes: list[int | str] | None = Field(
        None,
        min_length=1,
        description="classes to train and validate on alone; the test has the others, too",
    )


class GreyImages(ImageSet):
    """Options of sets of grey images."""

    name: str
    binarize: bool = Field(
        False,
        description="make each pixel 1 with its grey value as probability, drawn once for all runs "
        "(static binarisation)",
    )
