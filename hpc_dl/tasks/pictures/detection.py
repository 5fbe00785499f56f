"""How well a score tells the unusual from the usual: their histograms, and the curve of telling."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.pictures import figure
from hpc_dl.tasks.pictures.charts import COLOURS, roc

BINS = 40


def detection(scores: Tensor, anomalous: Tensor) -> dict[str, Picture]:
    """Pictures of scores (N,), which are higher for what is held for `anomalous`, (N,) bool.

    A curve there is only where there are examples of both.
    """
    scores, anomalous = scores.float().cpu(), anomalous.cpu()
    pictures = {"scores": _histograms(scores, anomalous)}
    if 0 < anomalous.sum() < len(anomalous):
        pictures["roc"] = _curve(scores, anomalous)
    return pictures


def _histograms(scores: Tensor, anomalous: Tensor) -> Picture:
    """Each of area 1, so that a few anomalies among many usual examples are seen."""
    drawing, axis = figure(4.6, 3.2)
    bins = np.linspace(0, float(scores.quantile(0.999)), BINS).tolist()
    kinds = (("usual", ~anomalous, COLOURS[0], None), ("anomalous", anomalous, COLOURS[1], "//"))
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
    axis.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, zorder=0, label="by chance, area 0.5")
    axis.set_xlabel("usual images held for anomalous, share", fontsize=8)
    axis.set_ylabel("anomalous images found, share", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=7, loc="lower right")
    return Picture(drawing, "Receiver operating curve")
