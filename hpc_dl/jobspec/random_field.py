"""The option of every network that tags: a conditional random field over the tags of a sentence."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hpc_dl.jobspec.model import Model
from hpc_dl.jobspec.only_with import OnlyWith


class TagsWords(Model):
    """Options of a network that tags the words of sentences, among other tasks."""

    name: str
    crf: Annotated[bool, OnlyWith("task", ("tag",))] = Field(
        False,
        description="of tags: learn as well which tag follows which, as a conditional random "
        "field, and predict the likeliest tags of a whole sentence",
    )
