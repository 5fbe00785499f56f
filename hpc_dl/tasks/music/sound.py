"""Sound of a piano roll, by additive synthesis."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from hpc_dl.jobspec.notes import LOWEST, frequency
from hpc_dl.tasks import wav_files
from hpc_dl.tasks.music.runs import held

SAMPLE_RATE = 22_050
OVERTONES = (1.0, 0.5, 0.25, 0.12)
"""Amplitudes of a tone's multiples of its frequency."""
DECAY, FADE = 0.6, 0.03
"""Seconds in which a tone falls to 1/e, and in which it ends."""
Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


def wav(roll: Array, rate: float) -> bytes:
    """Return a piece (frames, 88) of `rate` frames a second as a WAV file: mono, 16 bits."""
    made = np.zeros(int((len(roll) / rate + FADE) * SAMPLE_RATE) + 1)
    firsts = defaultdict(list)
    for note, first, end in held(roll):
        firsts[note, end - first].append(first)
    for (note, frames), begin in firsts.items():  # the same tone occurs again and again
        tone = _tone(frequency(note + LOWEST), frames / rate)
        for first in begin:
            start = int(first / rate * SAMPLE_RATE)
            made[start : start + len(tone)] += tone[: len(made) - start]
    loudest = np.abs(made).max() or 1.0
    return wav_files.encode(made / loudest * 0.9, SAMPLE_RATE)


def _tone(hertz: float, seconds: float) -> Array:
    """Return a tone that decays like a string, without the overtones that could not be sampled."""
    time = np.arange(int((seconds + FADE) * SAMPLE_RATE)) / SAMPLE_RATE
    end = np.clip((seconds + FADE - time) / FADE, 0, 1)
    phase = 2 * np.pi * hertz * time
    before, wave, turn = np.zeros_like(time), np.sin(phase), 2 * np.cos(phase)
    waves = np.zeros_like(time)
    for multiple, loudness in enumerate(OVERTONES, start=1):
        if hertz * multiple < SAMPLE_RATE / 2:
            waves += loudness * wave
        before, wave = wave, turn * wave - before  # sin (n + 1) x from sin n x and sin (n - 1) x
    found: Array = np.exp(-time / DECAY) * end * waves
    return found
