"""Music: piano rolls of some pieces, how often each note sounds, and the lengths."""

from __future__ import annotations

from functools import partial

from hpc_dl.data.dataset import Splits
from hpc_dl.data.show.bars import draw_histogram
from hpc_dl.data.show.panels import Panel
from hpc_dl.data.show.samples import sample
from hpc_dl.data.show.sequences import lengths
from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.notes import LOWEST
from hpc_dl.tasks.pictures.piano_rolls import draw

MOST_EXAMPLES, MOST_ROLLS = 256, 6


def panels(splits: Splits, options: Data) -> list[Panel]:
    """Return piano rolls of some examples, the pitches of more, and the lengths of all."""
    chosen = sample(len(splits.train), MOST_EXAMPLES, options.split_seed)
    batch, rate = splits.train.batch(chosen), splits.facts.inputs["music"].rate
    ends = batch["next_length"].tolist()
    rolls = [
        Panel(
            f"example {int(batch['index'][row])}, in seconds",
            partial(draw, piece=batch["next"][row, : ends[row]], rate=rate),
        )
        for row in range(min(MOST_ROLLS, len(chosen)))
    ]
    pitches = batch["next"].nonzero()[:, 2] + LOWEST
    title = f"MIDI pitches that sound, of {len(chosen)} training examples"
    counts = Panel(title, partial(draw_histogram, values={title: pitches}, counted="frames"))
    return [*rolls, counts, *lengths(splits, "music", "frames")]
