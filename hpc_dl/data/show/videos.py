"""Videos: some frames of some clips, a row each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hpc_dl.data.dataset import Splits
from hpc_dl.data.show.panels import COLUMNS, Panel
from hpc_dl.data.show.samples import sample
from hpc_dl.data.show.sequences import lengths
from hpc_dl.jobspec.data import Data
from hpc_dl.tasks.pictures.names import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CLIPS, MOST_FRAMES = 6, 8


def panels(splits: Splits, options: Data) -> list[Panel]:
    """Return the frames of some training examples, and the lengths of all where they differ."""
    facts, chosen = splits.facts, sample(len(splits.train), MOST_CLIPS, options.split_seed)
    batch, shown = splits.train.batch(chosen), []
    for row, clip in enumerate(batch["video"]):
        end = int(batch["video_length"][row]) if "video_length" in batch else len(clip)
        title = f"example {int(batch['index'][row])}"
        if facts.classes:
            title += f": {label(facts.classes[int(batch['label'][row])])}"
        shown.append(Panel(title, partial(_draw, clip=clip[:end]), COLUMNS, 1.5))
    return [*shown, *lengths(splits, "video", "frames")]


def _draw(axis: Axes, clip: Tensor) -> None:
    """Draw frames (T, C, H, W) beside each other, evenly taken."""
    taken = torch.linspace(0, len(clip) - 1, min(MOST_FRAMES, len(clip))).round().long()
    strip = torch.cat(list(clip[taken].permute(0, 2, 3, 1)), dim=1)
    pixels = (strip.squeeze(2) if strip.shape[2] == 1 else strip).numpy()
    axis.imshow(pixels, cmap="gray", vmin=0, vmax=1)
    axis.set_axis_off()
