"""The metric by which the trials of a sweep are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.metrics import GOALS
from hpc_dl.jobspec.suggestions import closest
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.sweep.goal import Goal

if TYPE_CHECKING:
    from hpc_dl.jobspec.job import JobSpec

_VALIDATION = "val/"


def resolve(spec: JobSpec, facts: DataFacts) -> tuple[str, Goal]:
    """Return the metric of the validation, like `val/loss`, and whether low or high is better.

    Unset it is `checkpoint.monitor`, or else what the network monitors. Raises SpecConflict where
    that is not known before it trains, unless seeds alone differ, and for a metric that it does not
    have.
    """
    assert spec.sweep is not None
    known = () if spec.model.last_is_best else spec.model.monitors(facts) or ()
    name = (spec.sweep.metric or "").removeprefix(_VALIDATION)
    key = "sweep.metric" if name else "sweep"
    name = name or spec.checkpoint.monitor or "".join(known[:1])
    if not name and not spec.sweep.keys:
        name = "loss"  # of seeds alone, nothing is compared
    if not name:
        raise SpecConflict(
            key,
            f"by which metric trials of {spec.model.name} are compared is not known",
            "Add one of the validation, for example: metric: val/loss",
        )
    if known and name not in known:
        allowed = ", ".join(f"{_VALIDATION}{it}" for it in known)
        raise SpecConflict(
            key, f"there is no {_VALIDATION}{name}{closest(name, known)}", f"Allowed: {allowed}"
        )
    goal = spec.sweep.goal
    if goal is None:
        if name not in GOALS:
            raise SpecConflict(
                key,
                f"whether a low or a high {name} is better is not known",
                "Add goal: minimize, or goal: maximize.",
            )
        goal = "minimize" if GOALS[name] == "min" else "maximize"
    return f"{_VALIDATION}{name}", goal
