"""The validation metrics by which checkpoints can be compared, and whether low or high is better.

Light: the login node checks `checkpoint.monitor` against them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from hpc_dl.jobspec.data import DataFacts

Goal = Literal["min", "max"]

GOALS: dict[str, Goal] = {
    "loss": "min",
    "accuracy": "max",
    "top5": "max",
    "f1_macro": "max",
    "auroc_macro": "max",
    "mae": "min",
    "rmse": "min",
    "r2": "max",
    "psnr": "max",
    "psnr_gain": "max",
    "elbo": "max",
    "reconstruction": "min",
    "bits_per_dimension": "min",
}
"""What does not tell which weights are better, such as the KL term alone, is not here."""
TOP = 5
"""Top-5 accuracy is of more classes than these."""


def of_task(facts: DataFacts) -> tuple[str, ...]:
    """The metrics of a task, the one that is monitored by default first."""
    if facts.task in ("classify", "classify_nodes"):
        top = ("top5",) if facts.outputs > TOP else ()
        return ("accuracy", "loss", "f1_macro", "auroc_macro", *top)
    if facts.task == "regress":
        return ("loss", "mae", "rmse", *(("r2",) if has_r2(facts) else ()))
    return ("loss",)


def has_r2(facts: DataFacts) -> bool:
    """Whether every held-out split has the two examples that R² needs at least."""
    return min(facts.validation or 2, facts.test or 2) > 1
