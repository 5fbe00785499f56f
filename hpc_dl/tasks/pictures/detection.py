"""Anomaly detection: histograms of the scores, and the ROC curve."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.pictures import figure
from hpc_dl.tasks.pictures.charts import COLOURS, roc

BINS = 40


def detection(scores: Tensor, anomalous: Tensor) -> dict[str, Picture]:
    """Draw the scores (N,), higher for examples that look `anomalous`, (N,) bool.

    The ROC curve is left out where all examples are of one kind.
    """
    scores, anomalous = scores.float().cpu(), anomalous.cpu()
    pictures = {"scores": _histograms(scores, anomalous)}
    if 0 < anomalous.sum() < len(anomalous):
        pictures["roc"] = _curve(scores, anomalous)
    return pictures


def _histograms(scores: Tensor, anomalous: Tensor) -> Picture:
    """Draw each of area 1, so that few anomalies are visible beside many normal examples."""
    drawing, axis = figure(4.6, 3.2)
    bins = np.linspace(0, float(scores.quantile(0.999)), BINS).tolist()
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
    axis.legend(fontsize=7)
    return Picture(drawing, "Scores")


def _curve(scores: Tensor, anomalous: Tensor) -> Picture:
    drawing, axis = figure(3.8, 3.4)
    false, true, area = roc(scores, anomalous)
    axis.plot(false, true, color=COLOURS[0], linewidth=1.4, label=f"area {area:.3f}")
    axis.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, zorder=0, label="chance, area 0.5")
    axis.set_xlabel("false positive rate", fontsize=8)
    axis.set_ylabel("true positive rate", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=7, loc="lower right")
    return Picture(drawing, "ROC curve")
