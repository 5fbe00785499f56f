"""Tagged sentences, for people: entities in colours, and a table of their types."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import groupby

import torch
from torch import Tensor

from hpc_dl.jobspec.bio import SPELLING, Entity, entities
from hpc_dl.tasks.artifacts import Artifact, File, Text
from hpc_dl.tasks.pictures import charts

Row = tuple[Tensor, ...]
"""Of a sentence: the ids and bytes of its words, (T, 1 + SPELLING), and the true and the predicted
tags, (T,) each."""
SHOWN = 80
"""Sentences that are shown, of those that have an entity, or are thought to."""
_STYLE = """
body {font: 16px/1.9 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em}
span {border-radius: 3px; padding: 1px 4px; color: #000}
sub {font-size: 11px; margin-left: 4px}
.right {background: #b7e4b0} .wrong {background: #f5b5ad} .missed {background: #fbdf9d}
"""
_LEGEND = (
    '<p><span class="right">right</span> <span class="wrong">wrong: not an entity, or other '
    'words, or another type</span> <span class="missed">missed</span></p>'
)


def of_words(rows: Sequence[Row], tags: Sequence[str]) -> Mapping[str, Artifact]:
    """Return the confusion matrix of the tags of all words."""
    true, predicted = (torch.cat(column) for column in list(zip(*rows, strict=True))[1:])
    return {"confusion": charts.confusion(predicted, true, tags)}


def of_entities(rows: Sequence[Row], tags: Sequence[str]) -> Mapping[str, Artifact]:
    """Return sentences with their entities, and a table of the entities' types."""
    pairs = [tuple(_found(it, tags) for it in row[1:]) for row in rows]
    spans = [(set(true), set(predicted)) for true, predicted in pairs]
    shown = [number for number, (true, predicted) in enumerate(spans) if true | predicted][:SHOWN]
    lines = [_sentence(spelt_words(rows[it][0]), *spans[it]) for it in shown]
    page = f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style>{_LEGEND}{"".join(lines)}'
    caption = f"Sentences with their entities, {len(shown)} of {len(rows)}"
    return {
        "sentences": File(page.encode(), ".html", caption),
        "entities": Text(_table(spans), "Entities by type"),
    }


def _found(tags: Tensor, names: Sequence[str]) -> list[Entity]:
    return entities([names[it] for it in tags.tolist()])


def spelt_words(ids: Tensor) -> list[str]:
    """Return the words with these ids and bytes, (T, 1 + SPELLING)."""
    return [_spell([it - 1 for it in spelt if it]) for _, *spelt in ids.tolist()]


def _spell(spelt: Sequence[int]) -> str:
    """Return a word, with a mark where it may go on after the last byte, or a part of a character
    was cut off."""
    word = bytes(spelt).decode("utf-8", "ignore")
    return word if len(spelt) < SPELLING else f"{word}…"


def _sentence(words: Sequence[str], true: set[Entity], predicted: set[Entity]) -> str:
    """Return a sentence as HTML."""
    by_word = [tuple(_at(place, of) for of in (true, predicted)) for place in range(len(words))]
    parts = []
    for pair, places in groupby(range(len(words)), by_word.__getitem__):
        text = html.escape(" ".join(words[it] for it in places))
        parts.append(_marked(text, *pair))
    return f'<p dir="auto">{" ".join(parts)}</p>\n'


def _at(place: int, of: set[Entity]) -> Entity | None:
    return next((it for it in of if it.start <= place < it.end), None)


def _marked(text: str, true: Entity | None, predicted: Entity | None) -> str:
    """Return some words, in the colour of what was predicted of them."""
    if true is None and predicted is None:
        return text
    types = [html.escape(it.type) if it else "none" for it in (true, predicted)]
    if true == predicted:
        kind, label = "right", types[0]
    elif predicted is None:
        kind, label = "missed", types[0]
    elif types[0] == types[1]:
        kind, label = "wrong", f"{types[1]}, but of other words"
    else:
        kind, label = "wrong", f"{types[1]}, true: {types[0]}"
    return f'<span class="{kind}">{text}<sub>{label}</sub></span>'


def _table(spans: Sequence[tuple[set[Entity], set[Entity]]]) -> str:
    """Return precision, recall and F1 of each type, and of all."""
    types = sorted({it.type for pair in spans for of in pair for it in of})
    lines = [f"{'type':24} precision  recall      f1   true  predicted"]
    for name in (*types, None):
        counts = [0, 0, 0]
        for pair in spans:
            true, predicted = ({it for it in of if name in (it.type, None)} for of in pair)
            for place, of in enumerate((true & predicted, predicted, true)):
                counts[place] += len(of)
        right, said, there = counts
        shares = (_share(right, said), _share(right, there), _share(2 * right, said + there))
        lines.append(
            f"{name or 'all':24} {shares[0]:>9} {shares[1]:>7} {shares[2]:>7} {there:6} {said:10}"
        )
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.4f}" if whole else "-"
