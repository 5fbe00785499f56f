"""Options of texts."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.data import Data, Fraction
from hpc_dl.jobspec.model import Modality, Task


class Text(Data):
    """A text file, of which each next character is predicted; the opening of a play is shipped."""

    modalities: ClassVar[tuple[Modality, ...]] = ("text",)
    tasks: ClassVar[tuple[Task, ...]] = ("predict_next",)
    paths: ClassVar[tuple[str, ...]] = ("path",)
    drawn: ClassVar[tuple[str, ...]] = ()

    name: Literal["text"]
    path: str | None = Field(None, description="the file, in UTF-8; a shipped one if unset")
    length: PositiveInt = Field(
        128, description="characters of an example, which a network reads in one go"
    )
    validation: Fraction = Field(0.1, description="share of the text, the part before the test")
    test: Fraction = Field(0.1, description="share of the text for the final test, its last part")
    carry_state: bool = Field(
        False,
        description="read on from batch to batch, each row from where it ended, and carry "
        "recurrent states over (truncated back-propagation through time); in the evaluation each "
        "example begins without a state",
    )

    @property
    def carries_state(self) -> bool:
        return self.carry_state
