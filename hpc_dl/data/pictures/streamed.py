"""Pictures that worker processes decode while training: the batches are the same, bit for bit, as
of pictures in memory.

A worker is sent the names of the files of a batch, and keeps nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hpc_dl.data.dataset import Batch, Split, as_floats, to_device
from hpc_dl.data.pictures import workers
from hpc_dl.data.pictures.cache import decode
from hpc_dl.data.pictures.folders import Found
from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.jobspec.sources.image_folder import ImageFolder

AHEAD = 2
"""Batches that each worker prefetches."""

_LOST = (ConnectionError, EOFError, FileNotFoundError)
"""Errors by which a worker that died shows while its batch is being fetched."""

Files = Sequence[Path]


def splits(source: ImageFolder, found: Found, processes: int) -> dict[str, Split]:
    """Return the pictures of each split; none is read yet."""
    reader = Reader(source, processes, torch.device("cpu"))
    if processes:
        workers.context()  # gets ready while the networks are built
    return {
        name: StreamedSplit(
            [path for path, _ in pictures], torch.tensor([n for _, n in pictures]), reader
        )
        for name, pictures in found.pictures.items()
    }


class StreamedSplit(Split):
    """Labels and numbers in memory, on the CPU; pictures in files."""

    def __init__(
        self, files: Files, label: Tensor, reader: Reader, index: Tensor | None = None
    ) -> None:
        super().__init__({"label": label}, index)
        self.files, self.reader = files, reader

    def to(self, device: torch.device) -> StreamedSplit:
        reader = replace(self.reader, device=device)
        return StreamedSplit(self.files, self.tensors["label"], reader, self.index)

    def subset(self, chosen: Tensor) -> StreamedSplit:
        label, index = self.tensors["label"][chosen], self.index[chosen]
        return StreamedSplit(self._files(chosen), label, self.reader, index)

    def batches(self, parts: Iterable[Tensor]) -> Iterator[Batch]:
        chosen = [part.cpu() for part in parts]
        images = self.reader.read_ahead(map(self._files, chosen))
        return map(self._batch, chosen, images)

    def batch(self, chosen: Tensor) -> Batch:
        return self._batch(chosen.cpu(), self.reader.read(self._files(chosen)))

    def _batch(self, chosen: Tensor, image: Tensor) -> Batch:
        device = self.reader.device
        return {
            "image": as_floats(image),
            "label": to_device(self.tensors["label"][chosen], device),
            "index": to_device(self.index[chosen], device),
        }

    def _files(self, chosen: Tensor) -> list[Path]:
        return [self.files[position] for position in chosen.tolist()]


@dataclass(frozen=True)
class Reader:
    """Reads pictures as bytes (B, C, H, W) on a device."""

    source: ImageFolder
    processes: int
    device: torch.device

    def read(self, files: Files) -> Tensor:
        """Read pictures in this process. Raises UserError for one that cannot be read."""
        images = np.empty((len(files), self.source.channels, *self.source.size), np.uint8)
        for image, file in zip(images, files, strict=True):
            image[:] = decode(file, self.source)
        return to_device(torch.from_numpy(images), self.device)

    def read_ahead(self, batches: Iterator[Files]) -> Iterator[Tensor]:
        """Yield the pictures of each batch, in turn, with prefetching.

        Raises UserError for a picture that cannot be read, and when a worker is gone.
        """
        try:
            for images in self._loader(batches):
                if isinstance(images, UserError):
                    raise images
                yield images.to(self.device, non_blocking=True)
        except (RuntimeError, *_LOST) as error:
            if not isinstance(error, _LOST) and "DataLoader worker (pid" not in str(error):
                raise
            raise UserError(
                "a process that decodes pictures has died: killed, or out of memory?",
                hint="Raise resources.mem, or lower data.workers or train.micro_batch. After a bus "
                "error in the log, /dev/shm was full: lower them, or give "
                "the container more of it (--shm-size).",
                exit_code=EXIT_FAILED,
            ) from None

    def _loader(self, batches: Iterator[Files]) -> DataLoader[Any]:
        of_workers: dict[str, Any] = {}
        if self.processes:
            of_workers = {
                "num_workers": self.processes,
                "prefetch_factor": AHEAD,
                "multiprocessing_context": workers.context(),
                "worker_init_fn": workers.leave_with_the_rank,
            }
        return DataLoader(
            _Pictures(self.source),
            batch_size=None,  # each index is a whole batch
            sampler=batches,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # it draws a seed, which is not to be the training's
            **of_workers,
        )


@dataclass(frozen=True)
class _Pictures(Dataset[Any]):
    """The data set of a worker: an index is the files of a whole batch."""

    source: ImageFolder

    def __getitem__(self, files: Files) -> Tensor | UserError:
        try:
            return Reader(self.source, 0, torch.device("cpu")).read(files)
        except UserError as error:  # raised there, it would arrive as a traceback
            return error
