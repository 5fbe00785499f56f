"""Options of a folder of the user's own recordings."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.audio_options import Recordings
from hpc_dl.jobspec.data import Fraction
from hpc_dl.jobspec.sources.image_folder import Pattern


class AudioFolder(Recordings):
    """A user's own recordings: ROOT/CLASS/*.wav, with or without folders of splits, or their lists.

    The lists are those of Speech Commands (Warden, arXiv:1804.03209).
    """

    paths: ClassVar[tuple[str, ...]] = ("root",)

    name: Literal["audio_folder"]
    root: str = Field(
        description="the folder; its validation_list.txt and testing_list.txt, if there are such, "
        "name the files of these splits"
    )
    test: Fraction = Field(0.1, description="share kept for the test where the folder has none")
    groups: Pattern | None = Field(
        None,
        description="a regular expression that is searched for in each path below `root`; "
        "recordings with the same text in its first (...), like a speaker's name, are kept in the "
        "same split",
    )
