"""A folder of JPEG files that look like photographs to a decoder: smooth, with some noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write(root: Path, count: int = 2000, side: int = 160) -> Path:
    """Write pictures of `side` x `side` pixels in two classes; return the folder."""
    numbers = np.random.default_rng(0)
    for number in range(count):
        folder = root / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        coarse = numbers.integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8)
        smooth = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        noisy = np.asarray(smooth, np.int16) + numbers.integers(-8, 9, (side, side, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{number:05d}.jpg")
    return root
