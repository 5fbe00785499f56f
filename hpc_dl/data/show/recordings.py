"""Recordings: spectrograms of some, and the lengths."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor

from hpc_dl.data.dataset import Splits
from hpc_dl.data.show.bars import draw_histogram
from hpc_dl.data.show.panels import Panel
from hpc_dl.data.show.samples import sample
from hpc_dl.jobspec.data import Data
from hpc_dl.tasks.pictures.names import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
        shown.append(Panel(title, partial(_draw, samples=samples, rate=rate)))
    lengths = splits.train.lengths
    if lengths is None:
        return shown
    title = "Lengths of training examples, in seconds"
    return [*shown, Panel(title, partial(draw_histogram, values={title: lengths / rate}))]


def _draw(axis: Axes, samples: Tensor, rate: float) -> None:
    """Draw the spectrogram of samples (T,), in Hz over seconds."""
    points = max(16, min(256, len(samples)))
    axis.specgram(samples.numpy(), NFFT=points, Fs=rate, noverlap=points // 2, cmap="magma")
    axis.set_ylabel("Hz", fontsize=7)
