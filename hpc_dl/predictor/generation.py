"""Generation: pictures from random codes, text and music that a network writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hpc_dl.errors import UserError
from hpc_dl.jobspec.notes import NOTES
from hpc_dl.predictor import Predictor
from hpc_dl.predictor.arrays import Array

AT_ONCE = 64
"""How many are made at once; their random numbers are drawn so, whatever the device."""


def kind(predictor: Predictor) -> str:
    """Return what a network generates: `pictures`, `text` or `music`; empty where it does not."""
    architecture = predictor.architecture
    if architecture.random_inputs(1, torch.Generator()):
        return "pictures"
    return {"predict_next": "text", "predict_notes": "music"}.get(architecture.facts.task, "")


def only_generates(predictor: Predictor) -> bool:
    """Return whether what a network takes is random, so that it predicts nothing of examples."""
    random = predictor.architecture.random_inputs(1, torch.Generator())
    return bool(random) and set(random) == set(predictor.inputs)


def pictures(
    predictor: Predictor, count: int, seed: int, label: str | None
) -> Iterator[torch.Tensor]:
    """Yield new pictures, (N, C, H, W) in [0, 1], in parts; `label` is the name of their class.

    Raises UserError for a class that a network does not know.
    """
    generator = torch.Generator().manual_seed(seed)
    for first in range(0, count, AT_ONCE):
        batch = dict(predictor.architecture.random_inputs(AT_ONCE, generator))
        if "label" in batch:  # the classes in turn, over all parts
            batch["label"] = _labels(predictor, label, first)
        elif label is not None:
            raise UserError("--class: the network knows no classes: it is not conditional")
        some = {name: it[: count - first].to(predictor.device) for name, it in batch.items()}
        with torch.no_grad():
            yield predictor.architecture.generate(predictor.nets, some).cpu()


def _labels(predictor: Predictor, label: str | None, first: int) -> torch.Tensor:
    classes = predictor.architecture.facts.classes
    if label is None:
        return torch.arange(first, first + AT_ONCE) % len(classes)
    if label not in classes:
        raise UserError(
            f"--class: there is no class '{label}'", hint=f"There are: {', '.join(classes)}."
        )
    return torch.full((AT_ONCE,), classes.index(label))


def texts(
    predictor: Predictor, prompt: str | None, count: int, seed: int, params: Mapping[str, Any]
) -> list[str]:
    """Return texts, each the prompt and what follows it; without a prompt they follow a line
    break."""
    given, written = "\n" if prompt is None else prompt, list[str]()
    for some, own in _rounds(count, seed):
        try:
            found = predictor.predict([given] * some, {**params, "seed": own})
        except UserError as error:
            if prompt is not None or error.message.startswith("params"):
                raise
            raise UserError(
                "the network begins from a prompt: its tokens have no line break",
                hint='--prompt "..." gives one.',
            ) from None
        written += [(prompt or "") + str(it) for it in found["continuation"]]
    return written


def music(
    predictor: Predictor, prompt: Path | None, count: int, seed: int, params: Mapping[str, Any]
) -> list[Array]:
    """Return pieces, (frames, 88) bytes, 1 where a note sounds: the prompt, a MIDI file, and what
    follows it; without a prompt from the beginning."""
    if prompt is None:
        batch = {
            "music": torch.zeros(1, 1, NOTES),
            "music_length": torch.zeros(1, dtype=torch.int64),
        }
    else:
        batch = dict(predictor.batch(str(prompt)))
    begun = batch["music"][0, : int(batch["music_length"][0])].byte().numpy()
    pieces: list[Array] = []
    for some, own in _rounds(count, seed):
        predictor.set_params({**params, "seed": own})
        several = {name: it.repeat(some, *(1,) * (it.ndim - 1)) for name, it in batch.items()}
        pieces += [np.concatenate([begun, it]) for it in predictor.predict_batch(several)["notes"]]
    return pieces


def _rounds(count: int, seed: int) -> Iterator[tuple[int, int]]:
    """Yield how many are written at once, and a seed for them, so that no two rounds are alike."""
    for first in range(0, count, AT_ONCE):
        own = int(np.random.SeedSequence((seed, first)).generate_state(1)[0]) if first else seed
        yield min(AT_ONCE, count - first), own
