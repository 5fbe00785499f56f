"""Recordings: spectrograms of some, and the lengths."""

from __future__ import annotations

from functools import partial

from hpc_dl.data.dataset import Splits
from hpc_dl.data.show.bars import draw_histogram
from hpc_dl.data.show.panels import Panel
from hpc_dl.data.show.samples import sample
from hpc_dl.jobspec.data import Data
from hpc_dl.tasks.pictures import spectrograms
from hpc_dl.tasks.pictures.names import label

MOST_SHOWN = 9


def panels(splits: Splits, options: Data) -> list[Panel]:
    """Return spectrograms of some training examples, and the lengths of all."""
    facts, chosen = splits.facts, sample(len(splits.train), MOST_SHOWN, options.split_seed)
    batch, rate = splits.train.batch(chosen), facts.inputs["audio"].rate
    shown = []
    for row, end in enumerate(batch["audio_length"].tolist()):
        title = f"example {int(batch['index'][row])}"
        if facts.classes:
            title += f": {label(facts.classes[int(batch['label'][row])])}"
        samples = batch["audio"][row, :end]
        shown.append(Panel(title, partial(spectrograms.draw, samples=samples, rate=rate)))
    lengths = splits.train.lengths
    if lengths is None:
        return shown
    title = "Lengths of training examples, in seconds"
    return [*shown, Panel(title, partial(draw_histogram, values={title: lengths / rate}))]
