"""Recordings as a network takes them: one channel, one rate, float32 samples in [-1, 1]."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from hpc_dl.data.audio import header as headers
from hpc_dl.data.audio import wav
from hpc_dl.data.audio.faults import DAMAGED, Refused
from hpc_dl.data.audio.form import AudioForm
from hpc_dl.data.audio.wav import Header
from hpc_dl.installed import require

Samples = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
LOUDEST = 1.01
"""Floats may be so far beyond 1 by rounding."""


def read(path: Path, form: AudioForm) -> Samples:
    """Read a recording in a form, (samples,). Raises Refused for one that cannot be had so."""
    header = headers.read(path)
    form.refuse(header)
    return convert(_decode(path, header), header.rate, form)


def convert(samples: Samples, rate: int, form: AudioForm) -> Samples:
    """Convert samples (T, channels) of another rate, or of several channels, as the form says.

    Raises Refused for numbers that are no sound.
    """
    mixed = samples.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mixed).all():
        raise Refused("samples that are not finite", DAMAGED)
    if (most := float(np.abs(mixed).max(initial=0))) > LOUDEST:
        raise Refused(
            f"floats up to {most:.4g}, but samples have to lie in [-1, 1]",
            "Divide them by the greatest value that they can have.",
        )
    if rate != form.rate:
        mixed = resample(mixed, rate, form.rate)
    return mixed.clip(-1, 1)[: form.longest]


def resample(samples: Samples, rate: int, new_rate: int) -> Samples:
    """Resample by a polyphase filter, which lets nothing above half the lower rate through."""
    from scipy.signal import resample_poly

    common = math.gcd(rate, new_rate)
    found: Samples = resample_poly(samples, new_rate // common, rate // common)
    return found.astype(np.float32)


def _decode(path: Path, header: Header) -> Samples:
    """Return all samples of a file, (samples, channels)."""
    if header.type:
        return wav.read_samples(path, header)
    soundfile = require("soundfile", "audio", f"reading {path.suffix} files")
    try:
        found, _ = soundfile.read(str(path), dtype="float32", always_2d=True)
    except RuntimeError as error:
        raise Refused(f"damaged ({error})", DAMAGED) from None
    if len(found) != header.samples:
        raise Refused("cut off: fewer samples than its header says", DAMAGED)
    return found
