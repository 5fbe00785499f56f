"""Folders of small pictures of noise, a class a folder, for tests and benchmarks."""

from pathlib import Path

import numpy as np
from PIL import Image


def folder_of_pictures(root: Path, count: int, side: int = 12, suffix: str = "png") -> Path:
    """`count` pictures of `side` x `side` pixels in two classes, brighter in the second."""
    numbers = np.random.default_rng(0)
    for number in range(count):
        label = number % 2
        path = root / "ab"[label] / f"{number:04d}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = numbers.integers(64 * label, 192 + 64 * label, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return root
