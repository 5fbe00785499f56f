"""Charts of metrics: matrices, curves and scatter plots, in colours for any colour vision (Okabe
and Ito, 2008; viridis)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.metrics import auroc
from hpc_dl.tasks.pictures import BESIDE, add_legend, figure
from hpc_dl.tasks.pictures.names import INCHES_A_LETTER, labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#000000")
"""Okabe and Ito's palette, the strongest first."""
LINES = ("-", "--", ":", "-.")
MOST_CURVES = 32
MOST_NAMES = 40
"""Of more classes, every so many-th has its name at a matrix."""
MOST_CELLS = 1000
"""Along a side of a matrix: of more classes, several share a cell."""
SHORT = 3
"""Most letters of names that stand side by side below a matrix."""
NUMBERED = 12
"""Most classes of a matrix whose cells have their numbers in them."""


def confusion(predicted: Tensor, label: Tensor, names: Sequence[str]) -> Picture:
    """Draw the confusion matrix, true classes in rows; both are (N,) int64."""
    shared = -(-len(names) // MOST_CELLS)  # so many classes are in a cell together
    counts = _count(predicted // shared, label // shared, -(-len(names) // shared))
    cells, shown = len(counts), labels(names[::shared])
    fraction = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
    side = max(3.2, min(0.34 * cells + 1.4, 9)) + _inches_of_names(shown)
    drawing, axis = figure(side + 0.6, side)
    image = axis.imshow(fraction.numpy(), vmin=0, vmax=1, cmap="viridis", origin="upper")
    _name_classes(axis, shown)
    if cells <= NUMBERED:
        for row, column in counts.nonzero().tolist():
            colour = "black" if fraction[row, column] > 0.5 else "white"
            text = f"{int(counts[row, column])}"
            axis.text(column, row, text, ha="center", va="center", fontsize=6, color=colour)
    axis.set_xlabel("predicted", fontsize=8)
    axis.set_ylabel("true", fontsize=8)
    bar = drawing.colorbar(image, ax=axis, fraction=0.046)
    bar.set_label("fraction of the class", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return Picture(drawing, f"Confusion matrix{_of_several(shared)}")


def _count(predicted: Tensor, label: Tensor, cells: int) -> Tensor:
    """Count examples by true and predicted class: (cells, cells)."""
    flat = torch.bincount(label * cells + predicted, minlength=cells**2)
    return flat.view(cells, cells).cpu()


def _inches_of_names(shown: Sequence[str]) -> float:
    """Return how much larger a matrix has to be for long names beside it."""
    return INCHES_A_LETTER * max(max(map(len, shown)) - 8, 0)


def _name_classes(axis: Axes, shown: Sequence[str]) -> None:
    """Write the classes at both sides of a matrix, or every so many-th of them."""
    apart = -(-len(shown) // MOST_NAMES)
    places, names = range(0, len(shown), apart), shown[::apart]
    turned = 0 if max(map(len, shown)) <= SHORT else 90
    axis.set_xticks(places, names, rotation=turned, fontsize=8)
    axis.set_yticks(places, names, fontsize=8)


def _of_several(classes: int) -> str:
    return f", {classes} classes to a cell" if classes > 1 else ""


def roc_curves(probabilities: Tensor, label: Tensor, names: Sequence[str]) -> Picture:
    """Draw the one-vs-rest ROC curve of each class; of two classes that of the second alone.

    `probabilities` are (N, classes), `label` is (N,) int64.
    """
    drawing, axis = figure(6.4, 3.6)
    shown, known = [1] if len(names) == 2 else range(min(len(names), MOST_CURVES)), labels(names)
    for number, one in enumerate(shown):
        scores, positive = probabilities[:, one].cpu(), (label == one).cpu()
        if 0 < positive.sum() < len(positive) and scores.isfinite().all():
            false, true, area = roc(scores, positive)
            axis.plot(
                false,
                true,
                label=f"{known[one]}: {area:.3f}",
                color=COLOURS[number % len(COLOURS)],
                linestyle=LINES[number // len(COLOURS) % len(LINES)],
                linewidth=1.2,
            )
    axis.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, zorder=0)
    axis.set_xlabel("false positive rate", fontsize=8)
    axis.set_ylabel("true positive rate", fontsize=8)
    axis.tick_params(labelsize=7)
    add_legend(axis, title="class: area", fontsize=6, **BESIDE)
    return Picture(drawing, "ROC curves")


def predictions(predicted: Tensor, true: Tensor, names: Sequence[str]) -> Picture:
    """Draw predictions against the truth: (N, targets) each, in their own units."""
    drawing, axis = figure(4.4, 3.6)
    for number, name in enumerate(labels(names[: len(COLOURS)])):
        points = (true[:, number].cpu(), predicted[:, number].cpu())
        axis.scatter(*points, s=6, alpha=0.6, color=COLOURS[number], label=name, linewidths=0)
    drawn = torch.cat([true, predicted])[:, : len(COLOURS)]
    if len(finite := drawn[drawn.isfinite()]):
        ends = [float(finite.min()), float(finite.max())]
        axis.plot(ends, ends, color="0.5", linewidth=0.8, zorder=0)
    axis.set_xlabel("true", fontsize=8)
    axis.set_ylabel("predicted", fontsize=8)
    axis.tick_params(labelsize=7)
    add_legend(axis)
    return Picture(drawing, "Predicted against true")


def residuals(error: Tensor, names: Sequence[str]) -> Picture:
    """Draw the histogram of residuals (N, targets), in the targets' own units."""
    drawing, axis = figure(4.4, 3.0)
    for number, name in enumerate(labels(names[: len(COLOURS)])):
        errors = error[:, number].cpu()
        counted = errors[errors.isfinite()].numpy()
        axis.hist(counted, bins=40, histtype="step", color=COLOURS[number], label=name)
    axis.axvline(0, color="0.5", linewidth=0.8)
    axis.set_xlabel("predicted - true", fontsize=8)
    axis.set_ylabel("examples", fontsize=8)
    axis.tick_params(labelsize=7)
    add_legend(axis)
    return Picture(drawing, "Residuals")


def roc(scores: Tensor, positive: Tensor) -> tuple[Tensor, Tensor, float]:
    """Return false and true positive rates as the threshold falls, (n,) each, and the area.

    `scores` (N,) are higher for positive examples; `positive` (N,) is bool, and has both values.
    """
    ranked, order = scores.sort(descending=True)
    is_last = F.pad(ranked.diff() != 0, (0, 1), value=True)  # of examples that score alike
    hits = positive[order]
    false, true = (F.pad(it.cumsum(0)[is_last], (1, 0)) for it in (~hits, hits))
    return false / false[-1], true / true[-1], auroc(scores, positive)
