"""What is known of a sweep from its submission on: `sweep.json`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from hpc_dl.jobspec import renames, spec_file
from hpc_dl.jobspec.sweep import Sweep
from hpc_dl.run import records
from hpc_dl.run.layout import write_json
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.goal import Goal


@dataclass(frozen=True)
class Info:
    """A sweep as it was submitted."""

    file: str
    """The job file, absolute."""
    overrides: list[str]
    """What was typed beside it."""
    identity: str
    """Of all that its trainings depend on, without the values of the trials."""
    metric: str
    goal: Goal
    created: float
    """Seconds since 1970."""
    backend: str
    """The name of the scheduler."""
    site: str | None = None
    """As it was typed, or its file, absolute."""


def save(sweep: SweepDir, info: Info) -> None:
    """Write the file; with it the folder is that of a sweep."""
    write_json(sweep.info, dataclasses.asdict(info))


def load(sweep: SweepDir) -> Info:
    """Read the file. Raises DamagedFile."""
    return records.load(sweep.info, Info)


def section(sweep: SweepDir) -> Sweep:
    """Return the section `sweep` of its job spec alone: the whole takes long to import.

    Raises UserError.
    """
    document = spec_file.read(sweep.spec, (), Sweep)
    values: dict[str, Any] = renames.upgrade(document.values)
    return Sweep.model_validate(values["sweep"])
