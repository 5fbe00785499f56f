"""Notes for the plan on texts. Light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hpc_dl.data.splits.counts import SPLITS
from hpc_dl.data.tokens.tokenizer import Ids, Tokenizer
from hpc_dl.jobspec.data import UNKNOWN


def note_unknown(ids: Mapping[str, Sequence[Ids]], tokenizer: Tokenizer) -> tuple[str, ...]:
    """Note how many tokens of held-out texts the vocabulary has not."""
    if UNKNOWN not in tokenizer.tokens:
        return ()
    held_out = [it for name in SPLITS[1:] for it in ids[name]]
    unknown = sum(int((it == 0).sum()) for it in held_out)
    total = sum(map(len, held_out))
    if not unknown:
        return ()
    return (
        f"{unknown / total:.1%} of the tokens of validation and test are none of the "
        f"{len(tokenizer.tokens)} of the training's vocabulary, and read as {UNKNOWN}",
    )


def note_repeated(texts: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Note held-out texts that are in the training split as well, word for word."""
    known = set(texts["train"])
    counts = {name: sum(it in known for it in texts[name]) for name in SPLITS[1:]}
    if not any(counts.values()):
        return ()
    shown = " and ".join(
        f"{count} of {len(texts[name])} examples of {name}"
        for name, count in counts.items()
        if count
    )
    return (f"{shown} are in the training split, too: a network may know them by heart",)
