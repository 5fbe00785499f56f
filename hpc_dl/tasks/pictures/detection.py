"""Anomaly detection: histograms of the scores, and the ROC curve."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.pictures import add_legend, figure
from hpc_dl.tasks.pictures.charts import COLOURS, roc

BINS = 40


def detection(scores: Tensor, anomalous: Tensor) -> dict[str, Picture]:
    """Draw the scores (N,), higher for examples that look `anomalous`, (N,) bool.

    Scores that are no number are left out, and so is the ROC curve where all examples are of one
    kind.
    """
    finite = scores.isfinite()
    scores, anomalous = scores[finite].float().cpu(), anomalous[finite].cpu()
    pictures = {"scores": _histograms(scores, anomalous)}
    if 0 < anomalous.sum() < len(anomalous):
        pictures["roc"] = _curve(scores, anomalous)
    return pictures


def _histograms(scores: Tensor, anomalous: Tensor) -> Picture:
    """Draw each of area 1, so that few anomalies are visible beside many normal examples."""
    drawing, axis = figure(4.6, 3.2)
    highest = np.quantile(scores.numpy(), 0.999) if len(scores) else 0.0
    bins = np.linspace(0, highest or 1.0, BINS).tolist()
    kinds = (("normal", ~anomalous, COLOURS[0], None), ("anomalous", anomalous, COLOURS[1], "//"))
    for name, chosen, colour, hatch in kinds:
        if chosen.any():
            axis.hist(
                scores[chosen].numpy(),
                bins,
                density=True,
                alpha=0.6,
                color=colour,
                hatch=hatch,
                edgecolor="white",
                linewidth=0.2,
                label=f"{name}, {int(chosen.sum())}",
            )
    axis.set_xlabel("mean squared error of an image", fontsize=8)
    axis.set_ylabel("density", fontsize=8)
    axis.tick_params(labelsize=7)
    add_legend(axis)
    return Picture(drawing, "Scores")


def _curve(scores: Tensor, anomalous: Tensor) -> Picture:
    drawing, axis = figure(3.8, 3.4)
    false, true, area = roc(scores, anomalous)
    axis.plot(false, true, color=COLOURS[0], linewidth=1.4, label=f"area {area:.3f}")
    axis.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, zorder=0, label="chance, area 0.5")
    axis.set_xlabel("false positive rate", fontsize=8)
    axis.set_ylabel("true positive rate", fontsize=8)
    axis.tick_params(labelsize=7)
    add_legend(axis, loc="lower right")
    return Picture(drawing, "ROC curve")
