"""Texts: the beginnings of some examples, their lengths, and the most frequent tokens."""

from __future__ import annotations

from bisect import bisect
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

import torch
from torch import Tensor

from hpc_dl.data.dataset import Splits
from hpc_dl.data.show.bars import draw_bars
from hpc_dl.data.show.panels import COLUMNS, Panel
from hpc_dl.data.show.samples import sample
from hpc_dl.data.show.sequences import lengths
from hpc_dl.errors import printable
from hpc_dl.jobspec.data import Data
from hpc_dl.jobspec.facts import Feature
from hpc_dl.tasks import detokenize
from hpc_dl.tasks.pictures.names import label
from hpc_dl.tasks.pictures.tagged import spelt_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_EXAMPLES, MOST_TEXTS = 1000, 8
WIDE = 160
"""Characters of a beginning."""


def panels(splits: Splits, options: Data) -> list[Panel]:
    """Return the beginnings of some training examples, and the tokens of more."""
    facts, chosen = splits.facts, sample(len(splits.train), MOST_EXAMPLES, options.split_seed)
    batch, feature = splits.train.batch(chosen), facts.inputs["text"]
    vocabulary = feature.vocabulary
    tokens, ends, lines = batch["text"], batch["text_length"], []
    for row in range(min(MOST_TEXTS, len(chosen))):
        text = _text(tokens[row, : int(ends[row])], feature)
        kind = f"{label(facts.classes[int(batch['label'][row])])}: " if facts.classes else ""
        lines.append(f"{kind}{_beginning(text)}")
    ids = tokens[..., 0] if tokens.ndim > 2 else tokens
    real = ids[torch.arange(ids.shape[1]) < ends[:, None]]
    counts = torch.bincount(real, minlength=len(vocabulary)).tolist()
    shown = [printable(token) if token.strip() else repr(token) for token in vocabulary]
    frequent = partial(draw_bars, names=shown, counts=counts)
    beginnings = Panel("Training examples", partial(_draw, lines=lines), COLUMNS, 1.8)
    title = f"Most frequent of {len(vocabulary)} tokens, in {len(chosen)} training examples"
    return [beginnings, Panel(title, frequent, height=2.6), *lengths(splits, "text", "tokens")]


def _text(tokens: Tensor, feature: Feature) -> str:
    """Return the text of token ids (T,), or of words with their spelling (T, 1 + SPELLING)."""
    if tokens.ndim > 1:
        return " ".join(spelt_words(tokens))
    return detokenize.text(feature, tokens.tolist())


def _beginning(text: str) -> str:
    """Return what is seen of a text; letters of East Asia take twice the room."""
    line = printable(text.replace("\n", "↵"))
    ends = list(accumulate(2 if east_asian_width(it) in "WF" else 1 for it in line))
    return line if not ends or ends[-1] <= WIDE else f"{line[: bisect(ends, WIDE - 1)]}…"


def _draw(axis: Axes, lines: list[str]) -> None:
    axis.set_axis_off()
    for number, line in enumerate(lines):
        place = 1 - (number + 0.5) / MOST_TEXTS
        axis.text(0, place, line, family="monospace", fontsize=8, va="center")
