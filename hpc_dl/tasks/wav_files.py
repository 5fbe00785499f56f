"""Wav files of samples, for artifacts to hear."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np


def encode(samples: np.ndarray[Any, np.dtype[Any]], rate: int) -> bytes:
    """Return samples (T,) in [-1, 1] as a wav file: mono, 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(rate)
        opened.writeframes((samples * 32767).astype("<i2").tobytes())
    return file.getvalue()
