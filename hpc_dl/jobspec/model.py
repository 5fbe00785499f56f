"""What the options of every architecture share: the kinds of data and the tasks it accepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field

from hpc_dl.jobspec import metrics
from hpc_dl.jobspec.base import Spec

if TYPE_CHECKING:
    from hpc_dl.jobspec.data import DataFacts

Kind = Literal["image", "sequence", "table", "graph"]
Task = str
"""The name of what is asked of an example: that of a file in `hpc_dl/tasks`, or of an entry point
of the group `hpc_dl.tasks`; `none` where nothing is asked."""
Norm = Literal["batch", "group", "none"]
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"]

Probability = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True)
class Conflict:
    """Why an option does not go with the data, and what would."""

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
    kinds: ClassVar[tuple[Kind, ...]] = ("image",)
    tasks: ClassVar[tuple[Task, ...]] = ("classify", "none")
    adversarial: ClassVar[bool] = False
    """Whether its players play against each other, so that their losses need not fall."""

    last_is_best: ClassVar[bool] = False
    """Whether no metric tells which weights are better, so that the last ones are exported."""

    name: str

    @property
    def is_supervised(self) -> bool:
        """True if it learns what the data's task asks; else it makes or describes its like."""
        return "none" not in self.tasks

    def monitors(self, facts: DataFacts) -> tuple[str, ...] | None:
        """Return the validation metrics that `checkpoint.monitor` may name; None where they are
        known only once the network is there."""
        return metrics.of_task(facts)

    @property
    def divisible(self) -> bool:
        """Whether fsdp can divide its networks: not where a loss is made of gradients."""
        return True

    @property
    def batch_norm(self) -> bool:
        """Whether it computes with the statistics of a batch, which depend on how the batch is
        divided over ranks and micro-batches."""
        return False

    @property
    def draws(self) -> str:
        """The random numbers of a training step, which each rank draws for itself; "" if none."""
        return "dropout" if getattr(self, "dropout", 0) else ""

    def without_paths(self) -> Self:
        """The same, once trained: what it was to read is in its weights, or no longer needed."""
        return self.model_copy(update=dict.fromkeys(self.paths))

    def find_conflict(self, facts: DataFacts) -> Conflict | None:
        """Return what of the options does not go with the data; None where all does."""
        return None

    def find_file_conflict(self, facts: DataFacts) -> Conflict | None:
        """The same of the files that the options name; it reads them."""
        return None


class OwnModel(Model):
    """A user's own architecture, by import path; every other key is handed to it as an option."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(pattern=r"^[^:]+:[A-Za-z_]\w*$", description="my_code.py:MyNet")

    @property
    def options(self) -> dict[str, Any]:
        """What the user wrote beside the name."""
        return dict(self.model_extra or {})
