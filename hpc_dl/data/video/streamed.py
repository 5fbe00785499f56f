"""Clips that are read while training; see `hpc_dl.data.streamed`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hpc_dl.data.streamed import Keys, Reader, StreamedSplit
from hpc_dl.data.video.clips import Clip
from hpc_dl.data.video.reading import read
from hpc_dl.jobspec.sources.clip_folder import ClipFolder


def split(
    clips: Sequence[Clip], labels: Tensor, options: ClipFolder, processes: int
) -> StreamedSplit:
    """Return the clips of a split; none is read yet."""
    shape = (options.frames, options.channels, *options.size)
    keys = np.empty(len(clips), dtype=object)
    keys[:] = clips
    reader = Reader(Clips(options), shape, torch.uint8, processes)
    return StreamedSplit("video", keys, {"label": labels}, reader)


@dataclass(frozen=True)
class Clips:
    """Reads clips as bytes (B, frames, C, H, W)."""

    options: ClipFolder

    def read(self, keys: Keys) -> Tensor:
        return torch.from_numpy(np.stack([read(it, self.options) for it in keys]))
