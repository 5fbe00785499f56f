"""Options of a folder of the user's own texts."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.data import Fraction, StreamedData
from hpc_dl.jobspec.sources.image_folder import Pattern
from hpc_dl.jobspec.texts import ClassifiedTexts


class TextFolder(StreamedData, ClassifiedTexts):
    """A user's own texts, one a file: ROOT/CLASS/*.txt, or ROOT/{train,validation,test}/CLASS/*.txt
    as IMDB has them."""

    paths: ClassVar[tuple[str, ...]] = ("root",)

    name: Literal["text_folder"]
    root: str = Field(description="the folder; one called `unsup` is no class")
    test: Fraction = Field(0.1, description="share kept for the test where there is no test folder")
    groups: Pattern | None = Field(
        None,
        description="a regular expression that is searched for in each path below `root`; texts "
        "with the same text in its first (...), like a film's number, are kept in the same split",
    )
