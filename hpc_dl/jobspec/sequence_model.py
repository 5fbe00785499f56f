"""What the networks share that read sequences of any modality, step by step or by attention."""

from __future__ import annotations

from typing import ClassVar

from hpc_dl.jobspec.facts import Modality, Task
from hpc_dl.jobspec.frame_layers import ReadsVideo
from hpc_dl.jobspec.log_mel import ReadsRecordings
from hpc_dl.jobspec.random_field import TagsWords


class SequenceModel(ReadsRecordings, ReadsVideo, TagsWords):
    """Options of a network that reads sequences, for every task that has such."""

    modalities: ClassVar[tuple[Modality, ...]] = (
        "image",
        "sequence",
        "text",
        "audio",
        "video",
        "music",
    )
    tasks: ClassVar[tuple[Task, ...]] = (
        "classify",
        "regress",
        "forecast",
        "tag",
        "predict_next",
        "predict_notes",
        "translate",
    )

    name: str
