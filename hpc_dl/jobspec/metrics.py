"""Validation metrics by which checkpoints can be compared, and whether low or high is better.

Light: the login node checks `checkpoint.monitor` against them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hpc_dl.jobspec import bio

if TYPE_CHECKING:
    from hpc_dl.jobspec.facts import DataFacts

Goal = Literal["min", "max"]

GOALS: dict[str, Goal] = {
    "loss": "min",
    "accuracy": "max",
    "top5": "max",
    "f1_macro": "max",
    "auroc_macro": "max",
    "f1": "max",
    "precision": "max",
    "recall": "max",
    "mae": "min",
    "rmse": "min",
    "r2": "max",
    "perplexity": "min",
    "exact": "max",
    "bleu": "max",
    "nats_per_character": "min",
    "bits_per_character": "min",
    "note_accuracy": "max",
    "psnr": "max",
    "psnr_gain": "max",
    "elbo": "max",
    "reconstruction": "min",
    "bits_per_dimension": "min",
}
"""Metrics that do not tell which weights are better, such as the KL term, are not here."""
TOP = 5
"""Top-5 accuracy is measured if there are more classes."""


OF_CHARACTERS = ("nats_per_character", "bits_per_character")
_CLASSES = ("accuracy", "loss", "f1_macro", "auroc_macro", "top5")
OF_TASK: dict[str, tuple[str, ...]] = {
    "classify": _CLASSES,
    "classify_nodes": _CLASSES,
    "regress": ("loss", "mae", "rmse", "r2"),
    "translate": ("loss", "accuracy", "perplexity", "exact", "bleu"),
    "predict_next": ("loss", "accuracy", "perplexity", *OF_CHARACTERS),
    "predict_notes": ("loss", "note_accuracy"),
    "tag": ("f1", "accuracy", "loss", "precision", "recall"),
    "forecast": ("loss", "mae"),
    "none": ("loss",),
}
"""The metrics of each shipped task, the one that is monitored by default first."""


def of_task(facts: DataFacts) -> tuple[str, ...] | None:
    """Return the metrics of the data's task; None for a task that is not shipped."""
    left_out = {"top5": facts.outputs <= TOP, "r2": not has_r2(facts)}
    if "tags" in facts.targets and not bio.mark_entities(facts.targets["tags"].vocabulary):
        left_out |= dict.fromkeys(("f1", "precision", "recall"), True)
    if facts.task == "predict_next" and facts.targets["next"].tokens == "words":
        left_out |= dict.fromkeys(OF_CHARACTERS, True)
    known = OF_TASK.get(facts.task)
    return None if known is None else tuple(it for it in known if not left_out.get(it))


def has_r2(facts: DataFacts) -> bool:
    """Return whether every held-out split has the two examples that R² needs at least."""
    return min(facts.validation or 2, facts.test or 2) > 1
