"""Codes of held-out examples in the plane, by class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.contract import Batch
from hpc_dl.tasks.pictures import figure, labels
from hpc_dl.tasks.pictures.charts import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = "o^sDv"
MOST_POINTS = 3000
IN_A_COLUMN = 20
"""Most entries in a column of the legend."""
MOST_CLASSES = 40
"""Most classes that have colours: nobody could tell more apart."""


def latent_plane(encoded: Iterable[tuple[Tensor, Batch]], names: Sequence[str]) -> Picture:
    """Draw the codes (B, D) of the first batches, by class if there are classes.

    Unless D is 2 the first two principal components are shown.
    """
    codes, label = _first(encoded, with_label=0 < len(names) <= MOST_CLASSES)
    drawing, axis = figure(5.0, 3.6)
    points, (across, up) = _plane(codes)
    if label is not None:
        _scatter(axis, points, label, names)
    else:
        axis.scatter(points[:, 0], points[:, 1], s=5, color=COLOURS[0], linewidths=0)
    axis.set_xlabel(across, fontsize=8)
    axis.set_ylabel(up, fontsize=8)
    axis.tick_params(labelsize=7)
    return Picture(drawing, "Codes of images")


def _first(
    encoded: Iterable[tuple[Tensor, Batch]], *, with_label: bool
) -> tuple[Tensor, Tensor | None]:
    """Return as many codes as are drawn, (N, D), and their classes, (N,); no batch is kept."""
    codes, labels, count = [], [], 0
    for code, batch in encoded:
        codes.append(code.float().cpu())
        labels += [batch["label"].cpu()] if with_label else []
        count += len(code)
        if count >= MOST_POINTS:
            break
    label = torch.cat(labels)[:MOST_POINTS] if with_label else None
    return torch.cat(codes)[:MOST_POINTS], label


def _plane(codes: Tensor) -> tuple[Tensor, list[str]]:
    """Return codes (N, D) as points (N, 2), and the names of the axes."""
    if codes.shape[1] == 2:
        return codes, ["dimension 1 of the code", "dimension 2 of the code"]
    points, explained = principal(codes)
    axes = [
        f"principal component {n}: {it:.0%} of the variance" for n, it in enumerate(explained, 1)
    ]
    return points, axes


def principal(codes: Tensor) -> tuple[Tensor, list[float]]:
    """Project codes (N, D) onto their first two principal components; return these, (N, 2), and
    the fractions of the variance that they explain."""
    centred = F.pad(codes - codes.mean(dim=0), [0, 1])  # of one dimension there are two, too
    variances, directions = torch.linalg.eigh(centred.T @ centred)
    explained = variances / variances.sum().clamp(min=1e-12)
    return centred @ directions[:, [-1, -2]], explained[[-1, -2]].tolist()


def _scatter(axis: Axes, points: Tensor, label: Tensor, names: Sequence[str]) -> None:
    """Draw each class in its colour and with its marker."""
    for number, name in enumerate(labels(names)):
        across, up = points[label == number].T
        if len(across):
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number // len(COLOURS)]
            axis.scatter(
                across, up, s=7, color=colour, marker=marker, linewidths=0, alpha=0.7, label=name
            )
    axis.legend(
        title="class",
        fontsize=7,
        title_fontsize=7,
        markerscale=2,
        loc="center left",
        bbox_to_anchor=(1, 0.5),
        ncols=1 + len(names) // IN_A_COLUMN,
    )
