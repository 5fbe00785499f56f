"""Options of a text, of which each next token is predicted."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveInt

from hpc_dl.jobspec.data import ConsecutiveData, Fraction
from hpc_dl.jobspec.facts import Modality, Task
from hpc_dl.jobspec.tokens import Kind, Vocabulary


class RunningText(ConsecutiveData):
    """Options of one long text, whose parts are for training, validation and test."""

    modalities: ClassVar[tuple[Modality, ...]] = ("text",)
    tasks: ClassVar[tuple[Task, ...]] = ("predict_next",)
    can_stream: ClassVar[bool] = True

    name: str
    tokens: Kind = Field(
        "characters",
        description="what the text is divided into: characters; bytes of UTF-8; words between "
        "blanks; words in lower case, with punctuation marks apart; or byte pairs, which are "
        "pieces of words (needs the extra `text`)",
    )
    vocabulary: Vocabulary = Field(
        None,
        description="most tokens, of which those beyond the most frequent are <unk>; all of the "
        "training part if unset, 8000 of byte pairs",
    )
    length: PositiveInt = Field(
        128, description="tokens of an example, which a network reads in one go"
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
