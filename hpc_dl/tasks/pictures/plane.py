"""Codes of held-out examples in the plane, by class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from hpc_dl.tasks.artifacts import Picture
from hpc_dl.tasks.contract import Batch
from hpc_dl.tasks.pictures import BESIDE, add_legend, figure
from hpc_dl.tasks.pictures.charts import COLOURS
from hpc_dl.tasks.pictures.names import labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = "osD^vP*X"
"""With the colours they distinguish 64 classes."""
MOST_POINTS = 3000
IN_A_COLUMN = 20
"""Most entries in a column of the legend."""
MOST_CLASSES = 40
"""Most classes in a legend: nobody could tell more apart."""


def latent_plane(encoded: Iterable[tuple[Tensor, Batch]], names: Sequence[str]) -> Picture:
    """Draw the codes (B, D) of the first batches, by class if there are classes.

    Unless D is 2 the first two principal components are shown.
    """
    codes, label = _finite(*_first(encoded, with_label=0 < len(names) <= MOST_CLASSES))
    drawing, axis = figure(5.0, 3.6)
    points, (across, up) = _plane(codes)
    if label is not None:
        scatter_classes(axis, points, label, names, "class")
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


def _finite(codes: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Leave out the codes that are no numbers, and their classes."""
    kept = codes.isfinite().all(dim=1)
    return codes[kept], None if label is None else label[kept]


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


def scatter_classes(
    axis: Axes, points: Tensor, label: Tensor, names: Sequence[str], title: str, size: float = 7
) -> None:
    """Draw points (N, 2), with a colour and a mark for each class there is, (N,), and a legend."""
    for number, name in enumerate(labels(names)):
        across, up = points[label == number].T
        if len(across):
            axis.scatter(
                across,
                up,
                s=size,
                color=COLOURS[number % len(COLOURS)],
                marker=MARKS[(number + number // len(COLOURS)) % len(MARKS)],
                linewidths=0,
                alpha=0.8,
                label=name if number < MOST_CLASSES else None,
            )
    columns = 1 + min(len(names), MOST_CLASSES) // IN_A_COLUMN
    add_legend(axis, title=title, fontsize=6, ncols=columns, **BESIDE)
