"""Splits of recordings: samples in memory, or read while training."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from hpc_dl.data import checked_files, streamed_ragged, validation
from hpc_dl.data.audio import faults, reading
from hpc_dl.data.audio.faults import Refused
from hpc_dl.data.audio.form import AudioForm
from hpc_dl.data.class_folders.scan import Found
from hpc_dl.data.dataset import Split
from hpc_dl.data.ragged import Ragged, RaggedSplit


def resident(found: Found, form: AudioForm, root: Path) -> dict[str, Split]:
    """Read all recordings into memory. Raises UserError with those that cannot be read."""
    read = _read_all(found, form, root)
    audio = {name: Ragged.of([read[it] for it, _ in its]) for name, its in found.files.items()}
    validation.refuse_constant(audio["train"].values, f"data.root: {root}")
    return {
        name: RaggedSplit({"audio": audio[name]}, _labels(files))
        for name, files in found.files.items()
    }


def streamed(
    found: Found, form: AudioForm, lengths: Mapping[Path, int], processes: int
) -> dict[str, Split]:
    """Return the recordings of each split; none is read yet."""
    return {
        name: streamed_ragged.split_of(
            "audio",
            Files(form),
            streamed_ragged.keys_of([it for it, _ in files], [lengths[it] for it, _ in files]),
            _labels(files),
            torch.float32,
            processes,
        )
        for name, files in found.files.items()
    }


def check_all(found: Found, form: AudioForm, root: Path, cache: Path) -> None:
    """Read all recordings once, as long as no file changes; `cache` notes that.

    Raises UserError with those that cannot be read.
    """
    checked_files.check_once(
        lambda: _read_all(found, form, root, keep=False), f"audio {form}", found.paths, cache
    )


@dataclass(frozen=True)
class Files:
    """Reads recordings by the paths of their files, (T,) float32 each."""

    form: AudioForm

    def read(self, key: Path) -> Tensor:
        try:
            return torch.from_numpy(reading.read(key, self.form))
        except Refused as error:
            raise faults.refused(key, error) from None


def _read_all(
    found: Found, form: AudioForm, root: Path, *, keep: bool = True
) -> dict[Path, Tensor]:
    """Return recordings by file, without their samples unless they are to be kept."""

    def read(path: Path) -> Tensor | Refused:
        try:
            samples = torch.from_numpy(reading.read(path, form))
        except Refused as error:
            return error
        return samples if keep else samples[:0].clone()

    with ThreadPoolExecutor() as pool:
        read_all = dict(zip(found.paths, pool.map(read, found.paths), strict=True))
    faults.refuse_all(
        ((path, it) for path, it in read_all.items() if isinstance(it, Refused)), root
    )
    return {path: it for path, it in read_all.items() if isinstance(it, Tensor)}


def _labels(files: list[tuple[Path, int]]) -> dict[str, Tensor]:
    return {"label": torch.tensor([number for _, number in files])}
