"""Options of clips of moving digits."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeInt

from hpc_dl.jobspec.data import Fraction, StreamedData
from hpc_dl.jobspec.facts import Modality

DIRECTIONS = ("right", "down right", "down", "down left", "left", "up left", "up", "up right")
"""Classes: clip n moves in direction n mod 8, at 45° to the next."""
SIDE = 28
"""Of the square picture of a digit, pixels."""


class SyntheticMovingDigits(StreamedData):
    """Clips made by a seeded generator: a handwritten digit moves in one of eight directions, which
    is the class, among others that stand still and pieces that jump."""

    modalities: ClassVar[tuple[Modality, ...]] = ("video",)
    drawn: ClassVar[tuple[str, ...]] = ()

    name: Literal["synthetic_moving_digits"]
    digits: Literal["sklearn", "mnist"] = Field(
        "sklearn", description="whose digits move: scikit-learn's, which are shipped, or MNIST's"
    )
    clips: Annotated[int, Field(ge=80)] = Field(5000, description="clips of all splits together")
    test: Fraction = Field(0.2, description="share of the clips, and of the digits, for the test")
    frames: Annotated[int, Field(ge=2)] = Field(16, description="frames of a clip")
    side: Annotated[int, Field(ge=SIDE)] = Field(
        64, description="height and width of a frame, pixels"
    )
    distractors: NonNegativeInt = Field(
        2, description="digits that stand still, and pieces of digits that jump, in each clip"
    )
    seed: NonNegativeInt = Field(
        0, description="of the generator; train.seed changes nothing in the clips"
    )
