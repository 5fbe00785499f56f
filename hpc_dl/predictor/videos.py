"""Clips as a network takes them: (N, T, C, H, W) floats in [0, 1], from video files, folders of
frames, or arrays."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hpc_dl.data.faults import Faults, resolve_home
from hpc_dl.data.video import clips, reading
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.clip_folder import ClipFolder
from hpc_dl.predictor import pictures
from hpc_dl.predictor.arrays import Array, array
from hpc_dl.predictor.numbers import checked

_WANTED = (
    "Give the path of a video file or of a folder of frames, the frames as an array (T, H, W) or "
    "(T, H, W, C), or a list of these."
)


@dataclass(frozen=True)
class Videos:
    """Reads clips as those of the training were read."""

    shape: Sequence[int]
    """Of a clip: frames, channels, height and width."""
    resized: bool
    """True if the frames of files are resized, as they were for the training."""

    def batch(self, given: Any) -> dict[str, Tensor]:
        """Return the tensors for `predict`. Raises UserError with all clips that are not read."""
        several = _several(given)
        if getattr(several, "ndim", 0) == len(self.shape) + 1:
            return self._checked(several)
        found, faults = [], Faults("video")
        for it in several:
            with faults.collect():
                found.append(self._clip(it))
        faults.refuse()
        if not found:
            raise UserError("video: no clip was given", hint=_WANTED)
        return self._checked(np.stack(found))

    def _checked(self, video: Any) -> dict[str, Tensor]:
        found = checked(video, "video", [-1, *self.shape], "float32", (0, 1))
        return {"video": torch.from_numpy(found)}

    def _clip(self, given: Any) -> Array:
        """Return the frames of a clip, as many as the network takes, at even distances."""
        if isinstance(given, str | os.PathLike):
            return self._of_path(os.fspath(given))
        frames = array(given, "video")
        if frames.ndim not in (3, 4) or not len(frames):
            raise UserError(f"video is {frames.shape}: no clip", hint=_WANTED)
        read = pictures.images(frames, self.shape[1:], resized=False)
        return read[clips.chosen(len(read), self.shape[0])]

    def _of_path(self, given: str) -> Array:
        if not self.resized:
            raise UserError(
                f"video: {given} is a path, and the network was not trained on files",
                hint="Give the frames as an array (T, H, W) or (T, H, W, C).",
            )
        path = resolve_home("video", given)
        if not path.exists():
            raise UserError(f"video: there is no file or folder {path}")
        frames, channels, *size = self.shape
        options = ClipFolder(
            name="clip_folder",
            root=str(path.parent),
            frames=frames,
            channels=1 if channels == 1 else 3,
            size=size,
        )
        found: Array = reading.read(clips.of_path(path), options).astype(np.float32) / 255
        return found


def _several(given: Any) -> Any:
    """Return a list of what is given, clips in a list or a column, or one; or an array (N, T, C, H,
    W) as it is."""
    if hasattr(given, "columns"):
        given = {name: given[name] for name in given.columns}
    if isinstance(given, Mapping) and set(given) == {"video"}:
        given = given["video"]
    column = given.to_numpy() if hasattr(given, "to_numpy") else given
    if isinstance(column, np.ndarray) and column.dtype.kind in "OUT":
        return list(column.ravel())
    return given if isinstance(given, list) or getattr(given, "ndim", 0) == 5 else [given]
