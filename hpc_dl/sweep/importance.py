"""How much each swept option matters for the score, as Optuna computes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hpc_dl.sweep.goal import Goal
from hpc_dl.sweep.summary import Configuration

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

EXTRA = "pip install 'hpcdl[sweep]'"
_LEAST = 10
"""Configurations: of fewer nothing can be told."""


def why_not(scored: Sequence[Configuration]) -> str:
    """Return why the importance cannot be computed, or ""."""
    if find_spec("optuna") is None:
        return f"the importance of options needs Optuna: {EXTRA}"
    if len(scored) < _LEAST:
        return f"the importance of options needs {_LEAST} configurations with a value"
    return ""


def compute(scored: Sequence[Configuration], goal: Goal) -> dict[str, float]:
    """Return the share of each option that all configurations have, by PED-ANOVA: how much its
    values among the best tenth differ from those of all (arXiv:2304.10255).

    Options of some configurations alone are left out, and so are those with a single value. The
    largest comes first, and all together are 1.
    """
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    shared = [key for key in scored[0].values if all(key in it.values for it in scored)]
    among = {key: _distribution([it.values[key] for it in scored]) for key in shared}
    varied = {key: it for key, it in among.items() if it is not None}
    if not varied:
        return {}
    study = optuna.create_study(direction=goal)
    study.add_trials(
        optuna.create_trial(
            params={key: _hashable(it.values[key]) for key in varied},
            distributions=varied,
            value=it.score,
        )
        for it in scored
    )
    found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {key: float(share) for key, share in found.items()}


def _distribution(values: Sequence[Any]) -> BaseDistribution | None:
    """Return the range of numbers, or the choice of other values; None of a single one."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if len({_hashable(it) for it in values}) == 1:
        return None
    if all(isinstance(it, int | float) and not isinstance(it, bool) for it in values):
        low, high = min(values), max(values)
        return FloatDistribution(low, high, log=0 < low < high / 30)
    return CategoricalDistribution(sorted({_hashable(it) for it in values}, key=str))


def _hashable(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else json.dumps(value)
