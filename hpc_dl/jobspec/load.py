"""Loading of job specs from files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hpc_dl.jobspec import renames
from hpc_dl.jobspec.faults import Fault
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.spec_file import SpecError, read, validate


def load(path: str | Path, words: Sequence[str] = ()) -> JobSpec:
    """Load a job spec with overrides (`key.path=value`). Raises SpecError or UserError."""
    return validate(read(path, words, JobSpec), JobSpec)


def load_resolved(path: str | Path, words: Sequence[str] = ()) -> JobSpec:
    """Load the job spec of a run folder, maybe of an earlier version. Raises as `load`."""
    document = read(path, words, JobSpec, is_resolved=True)
    document.values = renames.upgrade(document.values)
    return validate(document, JobSpec)


def read_identity(identity: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a `JobSpec.training()` of an earlier version as this one would have written it: under
    the names of today, with the defaults of new options."""
    upgraded: dict[str, Any] = renames.upgrade(identity)
    try:
        return JobSpec.model_validate({"name": "run", **upgraded}).training()
    except ValidationError:
        return upgraded


def locate(path: str | Path, words: Sequence[str], found: Sequence[Fault]) -> SpecError:
    """Return the error about valid values: each fault is shown where its value was written."""
    document = read(path, words, JobSpec)
    return SpecError([fault.located(document) for fault in found])
