"""The sweep that a run is a trial of, as a file in its run folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpc_dl.jobspec.flat import flatten
from hpc_dl.run import records
from hpc_dl.run.layout import RunDir


@dataclass(frozen=True)
class Membership:
    """A run's place in its sweep."""

    sweep: str
    """The name of the sweep's folder, which lies beside the run's."""
    trial: int
    values: dict[str, Any] = field(default_factory=dict)
    """The values of the swept options, by their keys: `train.optimizer.lr`."""

    @property
    def options(self) -> list[str]:
        """The names of the swept options in the flat job spec."""
        return [name for key, value in self.values.items() for name, _ in flatten(value, key)]

    def folder(self, run: RunDir) -> Path:
        """Return the sweep's folder, which may be gone."""
        return run.root / self.sweep


def find(run: RunDir) -> Membership | None:
    """Return a run's place in its sweep; None for a run by itself. Raises DamagedFile."""
    return records.find(run.sweep, Membership)
