"""Options of a folder of the user's own clips."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.data import Fraction, StreamedData
from hpc_dl.jobspec.facts import Modality
from hpc_dl.jobspec.image_options import Size
from hpc_dl.jobspec.sources.image_folder import Pattern


class ClipFolder(StreamedData):
    """A user's own clips: ROOT/CLASS/*.mp4, or ROOT/CLASS/CLIP/*.png with its frames as pictures,
    or either below ROOT/{train,validation,test}."""

    paths: ClassVar[tuple[str, ...]] = ("root",)
    modalities: ClassVar[tuple[Modality, ...]] = ("video",)

    name: Literal["clip_folder"]
    root: str = Field(description="the folder")
    frames: Annotated[int, Field(ge=2)] = Field(
        16, description="frames that are taken of each clip, at even distances"
    )
    size: Size = Field([64, 64], description="height and width to resize to, pixels")
    channels: Literal[1, 3] = Field(3, description="1 reads the frames as grey, 3 as RGB")
    test: Fraction = Field(0.1, description="share kept for the test where there is no test folder")
    groups: Pattern | None = Field(
        None,
        description="a regular expression that is searched for in each path below `root`; clips "
        "with the same text in its first (...), like those cut out of one film, are kept in the "
        "same split",
    )

    @property
    def resizes(self) -> bool:
        return True
