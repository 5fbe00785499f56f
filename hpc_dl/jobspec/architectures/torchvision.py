"""Options of torchvision's classifiers."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, PositiveInt

from hpc_dl.jobspec.facts import DataFacts, Task
from hpc_dl.jobspec.model import Conflict, Model
from hpc_dl.jobspec.torchvision import CLASSIFIERS, WITHOUT_BATCH_NORM, WITHOUT_RANDOMNESS


def _known(name: str) -> str:
    member = name.partition(":")[2]
    if member not in CLASSIFIERS:
        near = difflib.get_close_matches(member, CLASSIFIERS, n=3, cutoff=0.5)
        meant = ", ".join(near) or ", ".join(CLASSIFIERS[:3]) + " ..."
        raise ValueError(f"torchvision has no classifier '{member}'; it has {meant}")
    return name


class Torchvision(Model):
    """Any classifier of torchvision (torchvision:resnet18 ...), also from weights on disk."""

    library: ClassVar[str] = "torchvision"
    tasks: ClassVar[tuple[Task, ...]] = ("classify", "regress")
    paths: ClassVar[tuple[str, ...]] = ("weights",)

    name: Annotated[str, AfterValidator(_known)] = Field(
        pattern="^torchvision:", description="torchvision:NAME"
    )
    size: PositiveInt | None = Field(
        None, description="sides that pictures are resized to, pixels; as they are if unset"
    )
    weights: str | None = Field(
        None,
        description="file of a state dict to begin with; its last layer is made anew where the "
        "number of classes differs",
    )

    @classmethod
    def members(cls) -> Sequence[str]:
        """Return the classifiers that the library has."""
        return CLASSIFIERS

    @property
    def batch_norm(self) -> bool:
        member = self.name.partition(":")[2]
        return member.endswith("_bn") or not member.startswith(WITHOUT_BATCH_NORM)

    @property
    def draws(self) -> str:
        member = self.name.partition(":")[2]
        return "" if member.startswith(WITHOUT_RANDOMNESS) else "dropout"

    def find_file_conflict(self, facts: DataFacts) -> Conflict | None:
        if self.weights is None or Path(self.weights).is_file():
            return None
        return Conflict(
            "weights",
            f"there is no file {self.weights}",
            "Save weights where the compute nodes see them, for they have no internet: "
            "torch.save(model.state_dict(), FILE).",
        )
