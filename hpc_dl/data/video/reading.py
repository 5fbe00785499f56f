"""Reading of clips: so many frames of each, as bytes of one size. Light: without torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from hpc_dl.data.class_folders.walk import shown
from hpc_dl.data.faults import Faults
from hpc_dl.data.pictures.decoding import Pixels, decode
from hpc_dl.data.pictures.header import header
from hpc_dl.data.video.clips import Clip, chosen, shown_at
from hpc_dl.errors import UserError
from hpc_dl.installed import require
from hpc_dl.jobspec.sources.clip_folder import ClipFolder

WHOLE = 0.9
"""The least share of a video's frames, or of its length, that is there; codecs may lose a few."""
_AGAIN = "Copy or convert it again: ffmpeg -i OLD NEW.mp4"


class UnreadableClip(Exception):
    """Why a clip cannot be read, and what to do about it."""

    def __init__(self, why: str, remedy: str = "Remove or replace them.") -> None:
        super().__init__(why, remedy)
        self.why, self.remedy = why, remedy


def read(clip: Clip, options: ClipFolder) -> Pixels:
    """Read a clip as bytes (frames, C, H, W). Raises UserError naming one that cannot be read."""
    try:
        return _read(clip, options)
    except UnreadableClip as error:
        raise UserError(
            f"{clip.path} is no readable clip: {error.why}", hint=error.remedy
        ) from None


def read_all(clips: Iterable[Clip], options: ClipFolder, *, keep: bool = True) -> list[Pixels]:
    """Read clips, or only whether they can be read. Raises UserError with all that cannot."""
    root = Path(options.root).expanduser()

    def attempt(clip: Clip) -> Pixels | tuple[Clip, UnreadableClip]:
        try:
            found = _read(clip, options)
        except UnreadableClip as error:
            return clip, error
        return found if keep else found[:0]

    with ThreadPoolExecutor() as pool:
        every = list(pool.map(attempt, clips))
    faults = Faults(f"data.root: {root}")
    for it in every:
        if isinstance(it, tuple):
            faults.add(it[1].why, [shown(it[0].path, root)], it[1].remedy)
    faults.refuse()
    return [it for it in every if not isinstance(it, tuple)]


def _read(clip: Clip, options: ClipFolder) -> Pixels:
    pictures = _frames(clip, options) if clip.frames else _decoded(clip.path, options.frames)
    try:
        return np.stack([decode(it, options.channels, options.size) for it in pictures])
    except UserError as error:
        raise UnreadableClip(error.message, error.hint) from None


def _frames(clip: Clip, options: ClipFolder) -> Sequence[Path]:
    """Return the files of frames of a clip. Raises UnreadableClip where they differ in size."""
    files = [clip.frames[it] for it in chosen(len(clip.frames), options.frames)]
    try:
        sizes = {header(file).size for file in dict.fromkeys(files)}
    except UserError as error:
        raise UnreadableClip(error.message, error.hint) from None
    if len(sizes) > 1:
        there = " and ".join(f"{height} x {width}" for height, width in sorted(sizes)[:2])
        raise UnreadableClip(
            f"its frames differ in size: {there} pixels", "A folder holds the frames of one clip."
        )
    return files


def _decoded(file: Path, wanted: int) -> list[Any]:
    """Decode so many frames of a video file, as pictures of Pillow's."""
    av = require("av", "video", "reading video files")
    try:
        asked, count = _asked(av, file, wanted)
        places, found, decoded = set(asked), {}, 0
        with av.open(str(file)) as container:
            for decoded, frame in enumerate(container.decode(video=0), start=1):
                if decoded - 1 in places:
                    found[decoded - 1] = _upright(frame)
                last = decoded - 1
    except UnreadableClip:
        raise
    except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
        empty = "empty" if not file.stat().st_size else f"damaged, or no video ({error})"
        raise UnreadableClip(empty, _AGAIN) from None
    if not found or decoded < WHOLE * count:
        raise UnreadableClip(f"{decoded} of {count} frames can be decoded: cut off?", _AGAIN)
    return [found[min(it, max(found)) if it > last else it] for it in asked]


def _upright(frame: Any) -> Any:
    """Return a decoded frame as a picture, turned as a telephone's film says; PyAV before 14 does
    not tell how."""
    return frame.to_image().rotate(getattr(frame, "rotation", 0), expand=True)


def _asked(av: Any, file: Path, wanted: int) -> tuple[list[int], int]:
    """Return which frames of a video file are taken, and how many there are, without decoding them.

    They are those shown at even distances in time: telephones film at a rate that varies.
    Raises UnreadableClip.
    """
    with av.open(str(file)) as container:
        if not container.streams.video:
            sound = "it has no pictures, but sound alone"
            raise UnreadableClip(sound if container.streams.audio else "cut off or damaged", _AGAIN)
        stream = container.streams.video[0]
        times = [it.pts if it.pts is not None else it.dts for it in _packets(container, stream)]
        seconds, count = (container.duration or 0) / av.time_base, len(times)
        if not count:
            raise UnreadableClip("it has no frames", _AGAIN)
        if None in times:  # some forms have none
            return chosen(count, wanted), count
        times.sort()
        lasts = times[-1] - times[0]
        alone = len(container.streams) == 1 and count > 2
        if alone and lasts * stream.time_base < WHOLE * seconds * (count - 1) / count:
            raise UnreadableClip(f"cut off: its header says {seconds:.1f} s", _AGAIN)
        return shown_at(times, wanted), count


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    return (it for it in container.demux(stream) if it.size)
