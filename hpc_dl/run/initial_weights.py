"""Initial weights of a run: a copy of what its spec's `model.init_from` named at submission."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path

from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.run import records
from hpc_dl.run.layout import DamagedFile, RunDir, write_json

SAFETENSORS = ".safetensors"
_FILE, _SOURCE = "weights", "source.json"
_ONLY = "model/"


@dataclass(frozen=True)
class Source:
    """Where the weights are from."""

    name: str
    """The run, the path or the address."""
    facts: DataFacts | None = None
    """Of the data that they were trained on; None where that is not known."""


@dataclass(frozen=True)
class InitialWeights:
    """A file of weights: a state dict, an export's file, or the state of a checkpoint."""

    file: Path
    source: Source
    _kept: object = None
    """A folder that is removed with this."""

    def files(self) -> dict[str, Path]:
        """Return the file by the name that it has in a fingerprint."""
        return {"model.init_from": self.file}

    def shapes(self) -> dict[str, tuple[int, ...]] | None:
        """Return the shapes of all tensors by name, without torch; None where that is not
        possible. Raises UserError for a damaged file."""
        if self.file.suffix != SAFETENSORS:
            return None
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.file, "numpy") as tensors:
                names = list(tensors.keys())
                shapes = [tuple(tensors.get_slice(name).get_shape()) for name in names]
        except (OSError, SafetensorError) as error:
            raise UserError(f"{self.file} cannot be read: {error}") from None
        return dict(zip(map(tensor_name, names), shapes, strict=True))

    def copy_to(self, run: RunDir) -> None:
        """Copy the file into a run, unless it has one already."""
        if find(run) is not None:
            return
        run.initial_weights.mkdir(exist_ok=True)
        target = run.initial_weights / f"{_FILE}{self.file.suffix}"
        shutil.copyfile(self.file, target)
        write_json(run.initial_weights / _SOURCE, dataclasses.asdict(self.source))


def tensor_name(name: str) -> str:
    """Return the name of a tensor in an export, NETWORK/KEY, without the network where it has the
    name of the only one."""
    return name.removeprefix(_ONLY)


def find(run: RunDir) -> InitialWeights | None:
    """Return the initial weights in a run folder; None without any. Raises DamagedFile."""
    source = records.find(run.initial_weights / _SOURCE, Source)
    if source is None:
        return None
    file = next(iter(run.initial_weights.glob(f"{_FILE}.*")), None)
    if file is None:
        raise DamagedFile(run.initial_weights, "has lost the weights that the run begins with")
    return InitialWeights(file, source)
