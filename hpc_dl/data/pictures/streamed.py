"""Pictures that are decoded while training; see `hpc_dl.data.streamed`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hpc_dl.data.class_folders.scan import Found
from hpc_dl.data.dataset import Split
from hpc_dl.data.pictures.cache import decode
from hpc_dl.data.streamed import Keys, Reader, StreamedSplit
from hpc_dl.jobspec.sources.image_folder import ImageFolder


def splits(source: ImageFolder, found: Found, processes: int) -> dict[str, Split]:
    """Return the pictures of each split; none is read yet."""
    reader = Reader(Pictures(source), (source.channels, *source.size), torch.uint8, processes)
    return {
        name: StreamedSplit(
            "image",
            np.array([str(path) for path, _ in pictures], dtype=object),
            {"label": torch.tensor([number for _, number in pictures])},
            reader,
        )
        for name, pictures in found.files.items()
    }


@dataclass(frozen=True)
class Pictures:
    """Reads pictures by the paths of their files, (B,) strings, which are sent to workers quicker
    than Path: as bytes (B, C, H, W)."""

    source: ImageFolder

    def read(self, keys: Keys) -> Tensor:
        images = np.empty((len(keys), self.source.channels, *self.source.size), np.uint8)
        for image, file in zip(images, keys, strict=True):
            image[:] = decode(file, self.source)
        return torch.from_numpy(images)
