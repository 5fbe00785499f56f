"""Recordings: spectrograms of some of each class, and their lengths."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor

from hpc_dl.data.dataset import Splits
from hpc_dl.data.show.bars import draw_histogram
from hpc_dl.data.show.panels import Panel
from hpc_dl.data.show.samples import sample
from hpc_dl.jobspec.data import Data
from hpc_dl.tasks.pictures import spectrograms
from hpc_dl.tasks.pictures.names import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_SPECTROGRAMS = 9


def panels(splits: Splits, options: Data) -> list[Panel]:
    """Return spectrograms of some training examples, and the lengths of all."""
    facts, train = splits.facts, splits.train
    rate = facts.inputs["audio"].rate
    batch = train.batch(sample(len(train), MOST_SPECTROGRAMS, options.split_seed))
    drawn = []
    for row, length in enumerate(batch["audio_length"].tolist()):
        title = f"{splits.names.kind} {label(splits.names.of(int(batch['index'][row])))}"
        if facts.classes:
            title += f": {label(facts.classes[int(batch['label'][row])])}"
        drawn.append(Panel(title, partial(_draw, samples=batch["audio"][row, :length], rate=rate)))
    assert train.lengths is not None
    seconds = {"training": train.lengths / rate}
    return [
        *drawn,
        Panel("Lengths of training examples, in seconds", partial(draw_histogram, values=seconds)),
    ]


def _draw(axis: Axes, samples: Tensor, rate: float) -> None:
    axis.ticklabel_format(useOffset=False)
    spectrograms.draw(axis, samples, rate)
