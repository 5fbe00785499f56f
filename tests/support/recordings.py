"""Folders of recordings for tests: tones of one pitch a class, of differing lengths."""

import struct
from pathlib import Path

import numpy as np

RATE = 8000
INT = 1
FLOAT = 3


def tone(pitch: float, samples: int, rate: int = RATE, channels: int = 1):
    """Samples (samples, channels) of a sine of `pitch` Hz, in [-0.5, 0.5]."""
    one = 0.5 * np.sin(2 * np.pi * pitch * np.arange(samples) / rate)
    return np.repeat(one[:, None], channels, axis=1)


def encode(samples, bits: int = 16, kind: int = INT) -> bytes:
    """The samples of a wav file."""
    if kind == FLOAT:
        return samples.astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return (samples * 127 + 128).astype("u1").tobytes()
    whole = (samples * (2 ** (bits - 1) - 1)).astype("<i4")
    raw = whole.astype("<i4").reshape(-1, 1).view("u1")
    return raw[:, : bits // 8].tobytes()


def wav(samples, rate: int = RATE, bits: int = 16, kind: int = INT, more: bytes = b"") -> bytes:
    """A wav file; `more` are chunks before the samples."""
    samples = samples[:, None] if samples.ndim == 1 else samples
    channels, data = samples.shape[1], encode(samples, bits, kind)
    step = channels * bits // 8
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * step, step, bits)
    return riff(b"fmt " + struct.pack("<I", len(form)) + form + more, data)


def riff(chunks: bytes, data: bytes, length: int | None = None) -> bytes:
    """A wav file of these chunks and samples, whose header may tell another length of them."""
    told = len(data) if length is None else length
    body = b"WAVE" + chunks + b"data" + struct.pack("<I", told) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def folder_of_recordings(root: Path, count: int = 20, rate: int = RATE) -> Path:
    """A folder with two classes, high and low, of so many recordings each."""
    random = np.random.default_rng(0)
    for name, pitch in (("high", 1000), ("low", 200)):
        (root / name).mkdir(parents=True)
        for number in range(count):
            made = tone(pitch, int(random.integers(400, 1600)), rate)
            noisy = made + random.normal(0, 0.01, made.shape)
            (root / name / f"{number:03}.wav").write_bytes(wav(noisy, rate))
    return root
