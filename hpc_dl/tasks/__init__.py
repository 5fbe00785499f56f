"""Tasks: one file each, of the task's name, with loss, metrics, predictions and pictures.

Installed packages add theirs by entry points of the group `hpc_dl.tasks`, each of which has the
task's name and names its class.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from hpc_dl.errors import UserError
from hpc_dl.jobspec import registry
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.tasks import criterion
from hpc_dl.tasks.contract import Task

if TYPE_CHECKING:
    from hpc_dl.jobspec.train import Train

GROUP = "hpc_dl.tasks"
NONE = "none"


def build(
    facts: DataFacts,
    options: Train | None = None,
    examples: Mapping[str, Tensor] | None = None,
    code: Path | None = None,
) -> Task | None:
    """Return the task that the data are for; None where they are for none.

    `options` are those of the job spec, `examples` the tensors of the training split, and `code` is
    the folder of the user's own files.
    """
    if facts.task == NONE:
        return None
    task = find(facts.task)(facts, options, {} if examples is None else examples)
    if options and options.loss:
        task.criterion = criterion.build(options.loss, code or Path())
    return task


def find(name: str) -> type[Task]:
    """Return the class of a task. Raises UserError where there is no task of that name."""
    if find_spec(f"{__name__}.{name}"):
        return registry.subclass_in(f"{__name__}.{name}", Task)  # type: ignore[type-abstract]
    for point in entry_points(group=GROUP, name=name):
        loaded: type[Task] = point.load()
        return loaded
    raise UserError(
        f"there is no task '{name}'",
        hint=f"A package adds one by an entry point of the group {GROUP}: is it installed here?",
    )
