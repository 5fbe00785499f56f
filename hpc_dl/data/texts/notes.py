"""What is counted in texts, and notes for the plan on it. Light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hpc_dl.data.splits.counts import SPLITS
from hpc_dl.data.texts.labelled import Divided
from hpc_dl.data.tokens.examples import note_truncated
from hpc_dl.data.tokens.tokenizer import Tokenizer
from hpc_dl.jobspec.facts import UNKNOWN


@dataclass
class Counts:
    """Counts of the texts of a split."""

    texts: int = 0
    tokens: int = 0
    unknown: int = 0
    longest: int = 0
    truncated: int = 0
    hashes: set[int] = field(default_factory=set)
    """Of the texts, to find those that are there again."""
    repeated: int = 0
    """Texts that are in the training split, too."""


def count(divided: Divided, tokenizer: Tokenizer, longest: int) -> dict[str, Counts]:
    """Count the texts of each split, reading one at a time."""
    found: dict[str, Counts] = {}
    for name in SPLITS:
        counts = found[name] = Counts()
        for text in divided.texts(name):
            ids = tokenizer.encode(text)
            counts.texts += 1
            counts.tokens += len(ids)
            counts.unknown += int((ids == 0).sum())
            counts.longest = max(counts.longest, len(ids))
            counts.truncated += len(ids) > longest
            if name == "train":
                counts.hashes.add(hash(text))
            else:
                counts.repeated += hash(text) in found["train"].hashes
    return found


def note(found: Mapping[str, Counts], tokenizer: Tokenizer, longest: int) -> tuple[str, ...]:
    """Return notes on texts that are truncated, unknown, or in several splits."""
    texts, truncated = (
        sum(getattr(it, of) for it in found.values()) for of in ("texts", "truncated")
    )
    return (
        *note_truncated(truncated, texts, longest),
        *(_note_unknown(found, tokenizer) if UNKNOWN in tokenizer.tokens else ()),
        *_note_repeated(found),
    )


def _note_unknown(found: Mapping[str, Counts], tokenizer: Tokenizer) -> tuple[str, ...]:
    held_out = [found[name] for name in SPLITS[1:]]
    unknown, total = (sum(getattr(it, of) for it in held_out) for of in ("unknown", "tokens"))
    if not unknown:
        return ()
    return (
        f"{unknown} of {total} tokens of validation and test are none of the "
        f"{len(tokenizer.tokens)} of the training's vocabulary, and read as {UNKNOWN}",
    )


def _note_repeated(found: Mapping[str, Counts]) -> tuple[str, ...]:
    held_out = {name: found[name] for name in SPLITS[1:] if found[name].repeated}
    shown = " and ".join(f"{it.repeated} of {it.texts} of {name}" for name, it in held_out.items())
    if not shown:
        return ()
    return (f"texts that are in the training split, too, and may be known by heart: {shown}",)
