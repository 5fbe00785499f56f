"""Recordings as a network takes them: from files, or from samples with their rate."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hpc_dl.data.audio import reading
from hpc_dl.data.audio.faults import Refused
from hpc_dl.data.audio.form import AudioForm
from hpc_dl.data.audio.wav import Header
from hpc_dl.data.faults import Faults, regular_file
from hpc_dl.errors import UserError
from hpc_dl.predictor.arrays import array

_WANTED = (
    "Give the path of a recording, its samples and their rate as soundfile.read returns them, "
    "(x, rate), or a list of these."
)


@dataclass(frozen=True)
class Recordings:
    """Reads recordings as those of the training were read."""

    form: AudioForm

    def batch(self, given: Any) -> dict[str, Tensor]:
        """Return the tensors for `predict`. Raises UserError with all recordings that are not read,
        by their files or numbers."""
        read, faults = [], Faults("audio")
        for number, it in enumerate(_several(given), start=1):
            with faults.collect():
                read.append(torch.from_numpy(self._samples(it, f"recording {number}")))
        faults.refuse()
        if not read:
            raise UserError("the network takes recordings, but was given none", hint=_WANTED)
        length = torch.tensor([*map(len, read)])
        return {"audio": pad_sequence(read, batch_first=True), "audio_length": length}

    def _samples(self, given: Any, where: str) -> reading.Samples:
        try:
            if _is_path(given):
                where = os.fspath(given)
                return reading.read(regular_file("audio", where), self.form)
            samples, rate = _with_rate(given, where)
            self.form.refuse(Header(rate, samples.shape[1], len(samples)))
            return reading.convert(samples, rate, self.form)
        except Refused as error:
            raise UserError(f"{where} is not read: {error.why}", hint=self._remedy(error)) from None

    def _remedy(self, error: Refused) -> str:
        """Return what to do about a recording; options of the data are the training's."""
        if not error.remedy.startswith("data."):
            return error.remedy
        convert = f"ffmpeg -i OLD -ar {self.form.rate} -ac 1 NEW.wav"
        return f"Those of the training were neither resampled nor mixed. Convert it: {convert}"


def _several(given: Any) -> list[Any]:
    """Return a list of what is given: recordings in a list or a column, or one."""
    if hasattr(given, "columns"):
        given = {name: given[name] for name in given.columns}
    if isinstance(given, Mapping) and len(given) == 1:
        given = next(iter(given.values()))
    column = given.to_numpy() if hasattr(given, "to_numpy") else given
    if isinstance(column, np.ndarray) and column.dtype.kind in "OUT":
        return list(column.ravel())
    return list(given) if isinstance(given, list) else [given]


def _is_path(given: Any) -> bool:
    return isinstance(given, str | os.PathLike | Path)


def _with_rate(given: Any, where: str) -> tuple[reading.Samples, int]:
    """Return samples (T, channels) and their rate. Raises UserError where either is not clear."""
    if isinstance(given, Mapping) and set(given) == {"audio", "rate"}:
        given = given["audio"], given["rate"]
    if not isinstance(given, tuple) or len(given) != 2 or np.ndim(given[1]) != 0:
        raise UserError(f"{where} is neither a path, nor samples with their rate", hint=_WANTED)
    found, rate = array(given[0], where), np.asarray(given[1]).item()  # an archive's are arrays
    if not isinstance(rate, int | float) or rate <= 0 or not float(rate).is_integer():
        raise UserError(f"{where} has the rate {rate!r}, which is no whole number", hint=_WANTED)
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim != 2 or not found.size:
        raise UserError(f"{where} is {found.shape}: no samples", hint=_WANTED)
    if found.dtype.kind == "i" and found.dtype.itemsize in (2, 4):
        return (found / -float(np.iinfo(found.dtype).min)).astype(np.float32), int(rate)
    if found.dtype.kind != "f":  # of other integers the greatest is unknown
        raise UserError(f"{where} is of {found.dtype}: give floats in [-1, 1], or int16")
    return found.astype(np.float32), int(rate)
