"""The weights that `model.init_from` names: of a run, an export, a checkpoint, a file, a store."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from hpc_dl.cli import trained_model
from hpc_dl.errors import UserError
from hpc_dl.jobspec import renames
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.init_from import InitFrom
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.planning.plan import Plan
from hpc_dl.planning.site import Site
from hpc_dl.run import records
from hpc_dl.run.initial_weights import SAFETENSORS, InitialWeights, Source
from hpc_dl.run.layout import RunDir

_KEY = "model.init_from.from"
_OF_EXPORT = ("weights.safetensors", "weights.pt")
_WAIT = (
    "Weights are copied as a job is submitted, also with `after`: put `hpcdl attach {} &&` before "
    "this command, which then waits until they are there."
)
_STATE, _SHARDS = "state.pt", "shards"
_PICKLED = b"\x80\x02"
"""With which a file begins that torch.save has written before torch 1.6."""


def locate(asked: InitFrom, site: Site) -> InitialWeights:
    """Return the weights as they are now; those of a store are downloaded.

    Raises SpecConflict where there are none.
    """
    try:
        return _locate(asked, site)
    except SpecConflict:
        raise
    except trained_model.NotCompleted as error:
        raise SpecConflict(_KEY, error.message, _WAIT.format(error.run)) from None
    except UserError as error:
        raise SpecConflict(_KEY, error.message, error.hint) from None


def _locate(asked: InitFrom, site: Site) -> InitialWeights:
    path = Path(asked.source)
    if asked.is_path and path.is_file():
        _refuse_other_files(path)
        return InitialWeights(path, Source(str(path)))
    if asked.is_path and (path / _STATE).is_file():
        return _of_checkpoint(path)
    kept = tempfile.TemporaryDirectory(prefix="hpcdl-weights-", ignore_cleanup_errors=True)
    found = trained_model.named(asked.source, site, Path(kept.name))
    name = found.run.id if found.run else asked.source
    for file in _OF_EXPORT:
        if (found.export / file).is_file():
            source = Source(name, _facts(found.export))
            return InitialWeights(found.export / file, source, kept)
    raise UserError(f"{found.export} has no weights: {' or '.join(_OF_EXPORT)}")


def _refuse_other_files(path: Path) -> None:
    """Raise UserError for what torch.save has not written; safetensors are read by their own."""
    if path.suffix == SAFETENSORS:
        return
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                is_saved = any(it.endswith("/data.pkl") for it in archive.namelist())
        else:
            with path.open("rb") as file:
                is_saved = file.read(2) == _PICKLED
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if not is_saved:
        raise UserError(
            f"{path} is no file of weights",
            hint=f"torch.save(net.state_dict(), 'x.pt') writes one; {SAFETENSORS} is read as well.",
        )


def _of_checkpoint(path: Path) -> InitialWeights:
    if (path / _SHARDS).is_dir():
        raise UserError(
            f"{path} is of a network that fsdp divided",
            hint="Name the run, once it is completed: its export is in one piece.",
        )
    run = RunDir(path.absolute().parent.parent)
    plan = records.find(run.plan, Plan)
    name = f"{run.id}, {path.name}" if plan else str(path)
    return InitialWeights(path / _STATE, Source(name, plan.facts if plan else None))


def _facts(export: Path) -> DataFacts:
    file = export / "model.json"
    try:
        described = renames.upgrade(json.loads(file.read_bytes()))
        return TypeAdapter(DataFacts).validate_python(described["facts"])
    except (OSError, ValueError, LookupError, ValidationError) as error:
        raise UserError(f"{file} is damaged: {str(error).splitlines()[0]}") from None
