"""The recordings that a classifier is most wrong about, to see and to hear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hpc_dl.tasks import wav_files
from hpc_dl.tasks.artifacts import Artifact, File
from hpc_dl.tasks.contract import Batch
from hpc_dl.tasks.pictures import spectrograms
from hpc_dl.tasks.pictures.names import labels

COUNT = 8
LONGEST_NAME = 16
SECONDS = 10.0
"""Of a recording that are drawn and heard at most."""
PAUSE = 0.5
"""Seconds of silence after each."""


@dataclass(frozen=True)
class _Recording:
    error: float
    samples: Tensor
    label: int
    predicted: int


class MostWrongRecordings:
    """Collects, over batches, the recordings whose true class is predicted with least
    probability."""

    def __init__(self, rate: float) -> None:
        """`rate` is in samples a second."""
        self.rate, self.kept = rate, list[_Recording]()

    def update(self, batch: Batch, probabilities: Tensor) -> None:
        """Add a batch: `audio` (B, T) with its lengths and labels, and (B, classes)."""
        error = 1 - probabilities.gather(1, batch["label"][:, None])[:, 0]
        columns = (error, batch["audio_length"], batch["label"], probabilities.argmax(dim=1))
        rows = zip(batch["audio"], *(column.tolist() for column in columns), strict=True)
        most = round(SECONDS * self.rate)
        new = [
            _Recording(error, samples[: min(length, most)], label, predicted)
            for samples, error, length, label, predicted in rows
        ]
        self.kept = sorted(self.kept + new, key=lambda it: -it.error)[:COUNT]
        self.kept = [replace(it, samples=it.samples.cpu().clone()) for it in self.kept]

    def artifacts(self, names: Sequence[str]) -> Mapping[str, Artifact]:
        """Return their spectrograms, with the names of their classes, and their sound, one after
        the other."""
        shown = labels(names, LONGEST_NAME)
        titles = [
            shown[it.predicted] + ("" if it.predicted == it.label else f", not {shown[it.label]}")
            for it in self.kept
        ]
        samples, what = [it.samples for it in self.kept], "Recordings it is most wrong about"
        pause = torch.zeros(round(PAUSE * self.rate))
        heard = torch.cat([part for it in samples for part in (it, pause)])
        return {
            "most_wrong": spectrograms.grid(samples, self.rate, titles, what),
            "most_wrong_heard": File(
                wav_files.encode(heard.numpy(), round(self.rate)),
                ".wav",
                f"{what}: {'; '.join(titles)}",
            ),
        }
