"""Options of a folder of the user's own pictures."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from hpc_dl.jobspec.data import Fraction, StreamedData
from hpc_dl.jobspec.image_options import Size


def _with_a_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"'{pattern}' is no regular expression: {error}") from None
    if not groups:
        raise ValueError(f"'{pattern}' has no (...) around what it is to find")
    return pattern


Pattern = Annotated[str, AfterValidator(_with_a_group)]


class ImageFolder(StreamedData):
    """A user's own pictures: ROOT/CLASS/*.png, or ROOT/{train,validation,test}/CLASS/*.png."""

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

    @property
    def resizes(self) -> bool:
        return True
