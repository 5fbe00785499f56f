"""Charts of metrics: matrices, curves and scatter plots, in colours for any colour vision (Okabe
and Ito, 2008; viridis)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.pictures import figure, labels
from hpc_dl.torchvision_compat import torchvision

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#000000")
"""Okabe and Ito's palette, the strongest first."""
LINES = ("-", "--", ":", "-.")
MOST_CURVES = 32
MOST_NAMES = 40
NUMBERED = 12
"""Most classes of a matrix whose cells have their numbers in them."""


def confusion(predicted: Tensor, label: Tensor, names: Sequence[str]) -> Picture:
    """Draw the confusion matrix, true classes in rows; both are (N,) int64."""
    classes = len(names)
    flat = torch.bincount(label * classes + predicted, minlength=classes**2).view(classes, classes)
    counts = flat.cpu()
    fraction = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
    side = max(3.2, min(0.34 * classes + 1.4, 9))
    drawing, axis = figure(side + 0.6, side)
    image = axis.imshow(fraction.numpy(), vmin=0, vmax=1, cmap="viridis")
    if classes <= MOST_NAMES:
        shown, turned = labels(names), 0 if _short(names) else 90
        axis.set_xticks(range(classes), shown, rotation=turned, fontsize=8)
        axis.set_yticks(range(classes), shown, fontsize=8)
    if classes <= NUMBERED:
        for row, column in counts.nonzero().tolist():
            colour = "black" if fraction[row, column] > 0.5 else "white"
            text = f"{int(counts[row, column])}"
            axis.text(column, row, text, ha="center", va="center", fontsize=6, color=colour)
    axis.set_xlabel("predicted", fontsize=8)
    axis.set_ylabel("true", fontsize=8)
    bar = drawing.colorbar(image, ax=axis, fraction=0.046)
    bar.set_label("fraction of the class", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return Picture(drawing, "Confusion matrix")


def roc_curves(probabilities: Tensor, label: Tensor, names: Sequence[str]) -> Picture:
    """Draw the one-vs-rest ROC curve of each class; of two classes that of the second alone.

    `probabilities` are (N, classes), `label` is (N,) int64.
    """
    drawing, axis = figure(4.4, 3.6)
    shown = [1] if len(names) == 2 else range(min(len(names), MOST_CURVES))
    for number, one in enumerate(shown):
        scores, positive = probabilities[:, one].cpu(), (label == one).cpu()
        if 0 < positive.sum() < len(positive):
            false, true, area = roc(scores, positive)
            axis.plot(
                false,
                true,
                label=f"{labels(names)[one]}: {area:.3f}",
                color=COLOURS[number % len(COLOURS)],
                linestyle=LINES[number // len(COLOURS) % len(LINES)],
                linewidth=1.2,
            )
    axis.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, zorder=0)
    axis.set_xlabel("false positive rate", fontsize=8)
    axis.set_ylabel("true positive rate", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.legend(title="class: area", fontsize=6, title_fontsize=7, loc="lower right", ncols=2)
    return Picture(drawing, "ROC curves")


def predictions(predicted: Tensor, true: Tensor, names: Sequence[str]) -> Picture:
    """Draw predictions against the truth: (N, targets) each, in their own units."""
    drawing, axis = figure(4.4, 3.6)
    for number, name in enumerate(labels(names[: len(COLOURS)])):
        points = (true[:, number].cpu(), predicted[:, number].cpu())
        axis.scatter(*points, s=6, alpha=0.6, color=COLOURS[number], label=name, linewidths=0)
    ends = [min(float(true.min()), float(predicted.min()))]
    ends.append(max(float(true.max()), float(predicted.max())))
    axis.plot(ends, ends, color="0.5", linewidth=0.8, zorder=0)
    axis.set_xlabel("true", fontsize=8)
    axis.set_ylabel("predicted", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=7)
    return Picture(drawing, "Predicted against true")


def residuals(error: Tensor, names: Sequence[str]) -> Picture:
    """Draw the histogram of residuals (N, targets), in the targets' own units."""
    drawing, axis = figure(4.4, 3.0)
    for number, name in enumerate(labels(names[: len(COLOURS)])):
        counted = error[:, number].cpu().numpy()
        axis.hist(counted, bins=40, histtype="step", color=COLOURS[number], label=name)
    axis.axvline(0, color="0.5", linewidth=0.8)
    axis.set_xlabel("predicted - true", fontsize=8)
    axis.set_ylabel("examples", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=7)
    return Picture(drawing, "Residuals")


def roc(scores: Tensor, positive: Tensor) -> tuple[Tensor, Tensor, float]:
    """Return false and true positive rates as the threshold falls, (n,) each, and the area.

    `scores` (N,) are higher for positive examples; `positive` (N,) is bool, and has both values.
    """
    torchvision()  # which torchmetrics imports
    from torchmetrics.functional.classification import binary_auroc, binary_roc

    false, true, _ = binary_roc(scores, positive.long())
    return false, true, float(binary_auroc(scores, positive.long()))


def _short(names: Sequence[str]) -> bool:
    return max(map(len, names)) <= 3
