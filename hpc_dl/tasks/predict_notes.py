"""Next-frame prediction of music: at each frame of a piano roll, the notes of the one that follows.

Each of the 88 notes sounds or not with a probability of its own, given all frames before, so the
networks are Bernoulli models of sequences, as the baselines of Boulanger-Lewandowski et al.
(arXiv:1206.6392), whose measures are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import ConfigDict, PositiveFloat
from torch import Tensor
from torch.nn import functional as F

from hpc_dl.jobspec.notes import names_of
from hpc_dl.tasks.artifacts import Artifact, File
from hpc_dl.tasks.contract import Batch, Loss, Measured, MonitoredMetric, Task
from hpc_dl.tasks.decoding import Seed, Step, Steps
from hpc_dl.tasks.music import midi, sound
from hpc_dl.tasks.padding import is_real
from hpc_dl.tasks.pictures import piano_rolls
from hpc_dl.tasks.tables import Array

SHOWN, PROMPT = 3, 16
"""How many held-out pieces are continued in the samples, from so many frames on."""


@dataclass(frozen=True)
class Improvisation:
    """Options of how music is continued."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    frames: Steps = 64
    """Frames that are written from a prompt on."""
    temperature: PositiveFloat = 1.0
    """Logits are divided by it: below 1 the music is more likely, and plainer."""
    seed: Seed = 0


class NextFrame(Task):
    """Outputs (B, T, 88) are logits of the notes of the frame after each of T."""

    monitored = MonitoredMetric("loss", "min")
    of_steps = causal = True
    params = Improvisation()

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Return the cross-entropy in nats, a sum over notes; the count is of real frames."""
        real = self._real(batch)
        nats = F.binary_cross_entropy_with_logits(outputs, batch["next"], reduction="none")
        return Loss(nats.where(real, 0).sum(), batch["music_length"].sum())

    def measure(self, outputs: Tensor, batch: Batch) -> Mapping[str, Measured]:
        """Return the loss in nats a frame, and the accuracy TP / (TP + FP + FN) of the notes that
        are likelier than not (Bay, Ehmann and Downie, ISMIR 2009), in [0, 1]."""
        predicted, true = (it & self._real(batch) for it in (outputs > 0, batch["next"] > 0))
        right, either = (predicted & true).sum(), (predicted | true).sum()
        return {"loss": self.loss(outputs, batch), "note_accuracy": Loss(right, either)}

    def _real(self, batch: Batch) -> Tensor:
        """Return which frames are no padding, (B, T, 1)."""
        return is_real(batch["music_length"], batch["next"].shape[1])[..., None]

    def predict(self, outputs: Tensor) -> Mapping[str, Tensor]:
        """Return the probabilities of the notes of the next frame at each place, (B, T, 88)."""
        return {"probabilities": outputs.sigmoid()}

    def pictures(self, held_out: Iterable[tuple[Tensor, Batch]]) -> Mapping[str, Artifact]:
        return {}

    def generate(self, step: Step, batch: Batch) -> Mapping[str, Tensor]:
        """Return the sampled `notes` after each prompt, (B, frames, 88) bytes, 1 where one
        sounds."""
        generator = torch.Generator().manual_seed(self.params.seed)
        given, length = batch["music"], batch["music_length"]
        empty = given.new_zeros(len(given), self.params.frames, given.shape[2])
        piece = torch.cat([given, empty], dim=1)
        frame, state = torch.zeros_like(given[:, 0]), None
        for place in range(piece.shape[1]):
            logits, state = step(frame, state)
            drawn = torch.rand(logits.shape, generator=generator).to(logits.device)
            sampled = (logits / self.params.temperature).sigmoid() > drawn
            written = (place >= length)[:, None]
            piece[:, place] = torch.where(written, sampled.to(piece.dtype), piece[:, place])
            frame = piece[:, place]
        chosen = length[:, None] + torch.arange(self.params.frames, device=length.device)
        rows = torch.arange(len(piece), device=length.device)[:, None]
        return {"notes": piece[rows, chosen].byte()}

    def decode(self, predicted: Mapping[str, Any]) -> Mapping[str, Array]:
        """Return the `continuation` of each piece, (B,) strings: the names of the notes that sound,
        a line a frame."""
        if "notes" not in predicted:
            return {}
        return {"continuation": np.array([names_of(it) for it in predicted["notes"].tolist()])}

    def samples(self, step: Step, sample: Batch) -> Mapping[str, Artifact]:
        """Return the beginnings of some pieces, and how the network continues them: piano rolls,
        sound, and MIDI where mido is installed; else the sound says what to install."""
        prompt = sample["next"][:SHOWN, :PROMPT]
        length = sample["next_length"][:SHOWN].clamp(max=PROMPT)
        written = self.generate(step, {"music": prompt, "music_length": length})["notes"]
        real = sample["next_length"][:SHOWN]
        pieces = [
            torch.cat([row[:end].byte(), more])
            for row, end, more in zip(prompt, length.tolist(), written, strict=True)
        ]
        true = [
            row[:end].byte() for row, end in zip(sample["next"][:SHOWN], real.tolist(), strict=True)
        ]
        rate = next(iter(self.facts.inputs.values())).rate
        made: dict[str, Artifact] = {
            "piano_rolls": piano_rolls.compare(true, pieces, length.tolist(), rate)
        }
        for number, piece in enumerate(pieces, start=1):
            caption = f"Piece {number}, continued after {int(length[number - 1])} frames"
            played = piece.cpu().numpy()
            if (content := midi.write(played, rate)) is not None:
                made[f"midi_{number}"] = File(content, ".mid", caption)
            else:
                caption += f"; {midi.ABSENT}"
            made[f"music_{number}"] = File(sound.wav(played, rate), ".wav", caption)
        return made
