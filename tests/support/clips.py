"""Small folders of clips for tests: frames as pictures, and video files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def frames(folder: Path, count: int = 4, size: tuple[int, int] = (8, 6), name="{}.png") -> Path:
    """A clip as a folder of pictures; frame n is a grey of 10 n."""
    folder.mkdir(parents=True)
    for number in range(count):
        Image.new("L", size, 10 * number).save(folder / name.format(number))
    return folder


def video(
    file: Path,
    count: int = 6,
    codec: str = "mpeg4",
    side: int = 16,
    times: Sequence[int] | None = None,
) -> Path:
    """A clip as a video file; frame n is a grey of 40 n, shown at `times[n]` tenths of a second."""
    import av

    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width = stream.height = side
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        for number, time in enumerate(times or range(count)):
            frame = av.VideoFrame.from_ndarray(np.full((side, side, 3), 40 * number, np.uint8))
            frame.pts = time
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def folder_of_clips(root: Path, each: int = 8) -> Path:
    """So many clips of two classes, as folders of frames."""
    for name in ("jump", "walk"):
        for number in range(each):
            frames(root / name / f"clip{number}")
    return root
