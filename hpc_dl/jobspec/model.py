"""Options that every architecture has, and what the light half has to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field

from hpc_dl.jobspec import metrics
from hpc_dl.jobspec.base import REFERENCE, Spec
from hpc_dl.jobspec.facts import Modality, Task
from hpc_dl.jobspec.init_from import BeginsWith
from hpc_dl.jobspec.only_with import OnlyWith

if TYPE_CHECKING:
    from hpc_dl.jobspec.facts import DataFacts

Norm = Literal["batch", "group", "none"]
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"]
Pooling = Annotated[
    Literal["last", "mean", "max"], OnlyWith("task", ("classify", "regress", "forecast"))
]
"""How the states of a sequence become one, where the outputs are not for each step: the last, or
the mean or maximum over the steps."""

Probability = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True)
class Conflict:
    """An option that does not go with the data, and what to do."""

    option: str
    message: str
    hint: str


class Model(Spec):
    """Options of one architecture, from which a spec is checked and the networks are built."""

    network_module: ClassVar[str] = ""
    """The module with its `Architecture`; if empty, that of the same name in
    `hpc_dl.zoo.architectures`."""
    library: ClassVar[str] = ""
    """Its name before the first colon, if it has many members: `torchvision:resnet18`."""
    modalities: ClassVar[tuple[Modality, ...]] = ("image",)
    tasks: ClassVar[tuple[Task, ...]] = ("classify", "none")
    adversarial: ClassVar[bool] = False
    """True if its players are adversaries, so that their losses need not fall."""

    recurrent: ClassVar[bool] = False
    """True if it reads a sequence step by step into a state, from which it can go on."""
    last_is_best: ClassVar[bool] = False
    """True if no metric tells which weights are better, so that the last ones are exported."""

    name: str
    init_from: BeginsWith = Field(
        None, description="a run or other weights to begin with, see docs/warm-start.md"
    )

    @property
    def is_supervised(self) -> bool:
        """True if it learns the data's task; False if it encodes or generates examples."""
        return "none" not in self.tasks

    def monitors(self, facts: DataFacts) -> tuple[str, ...] | None:
        """Return the validation metrics that `checkpoint.monitor` may name; None where they are
        known only once the network is there."""
        return metrics.of_task(facts)

    @property
    def divisible(self) -> bool:
        """False if fsdp cannot shard its networks, as where a loss has gradients in it."""
        return True

    @property
    def batch_norm(self) -> bool:
        """True if it has batch norm, which depends on how a batch is divided over ranks and
        micro-batches."""
        return False

    @property
    def needs_two(self) -> bool:
        """True if a rank cannot train on a single example, of whose numbers it takes the batch's
        mean and variance."""
        return False

    @property
    def draws(self) -> str:
        """Name of the random numbers in a train step, which differ between ranks; "" if none."""
        return "dropout" if getattr(self, "dropout", 0) else ""

    def without_paths(self) -> Self:
        """Return the options without paths, for a trained network, which needs no other files."""
        return self.model_copy(update=dict.fromkeys((*self.paths, "init_from")))

    def find_conflict(self, facts: DataFacts) -> Conflict | None:
        """Return an option that does not go with the data; None if there is none."""
        return None

    def find_file_conflict(self, facts: DataFacts) -> Conflict | None:
        """Return an option whose file does not go with the data; it reads the files."""
        return None


class UserModel(Model):
    """A user's network, by import path: a plain `nn.Module`, or an architecture, which gets every
    other key as an option."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(pattern=REFERENCE, description="my_code.py:MyNet")

    @property
    def is_supervised(self) -> bool:
        """True, for it may be: what it learns is known once it is imported."""
        return True

    @property
    def options(self) -> dict[str, Any]:
        """Every key but the name."""
        return dict(self.model_extra or {})
