"""Options of Multi30k."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from hpc_dl.jobspec.data import StagedData
from hpc_dl.jobspec.sentence_pairs import SentencePairs


class Multi30k(StagedData, SentencePairs):
    """Multi30k: 29 000 + 1014 + 1000 captions of photographs, in German and English."""

    drawn: ClassVar[tuple[str, ...]] = ()

    name: Literal["multi30k"]
    source: Literal["de", "en"] = Field("de", description="the language that is read")
    target: Literal["de", "en"] = Field("en", description="the language that is written")
