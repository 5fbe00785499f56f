"""`hpcdl data show JOB.yaml`: draw what a job would see of its data, before anything is trained."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hpc_dl.cli import data_rows, job_request, show_plan
from hpc_dl.cli.common import console
from hpc_dl.data.dataset import Splits
from hpc_dl.data.source import Source
from hpc_dl.errors import UserError, reason
from hpc_dl.jobspec.sources.user import UserData
from hpc_dl.tasks.artifacts import Picture
from hpc_dl.user_code import failures

SUFFIX = ".png"


def run(file: Path, overrides: Sequence[str], site: str | None, output: Path | None) -> int:
    """Write the picture of a job's data, and print where it is."""
    from hpc_dl.data import show

    spec, source = job_request.read_source(file, overrides, site)
    path = output or Path(f"{spec.name}-data{SUFFIX}")
    _check(path)
    splits = _load(source)
    _save(show.draw(splits, spec.data, source.code), path)
    facts, root = splits.facts, str(source.data_root)
    lines = data_rows.rows(spec.data, facts, root)
    show_plan.print_rows([*lines, *(("note", it) for it in facts.notes)], console())
    console().print(f"drawn: {path.absolute()}", soft_wrap=True)
    return 0


def _check(path: Path) -> None:
    """Raise UserError, before anything is read, for a file that is not to be written."""
    if path.suffix.lower() != SUFFIX:
        raise UserError(f"-o: {path} is no name of a picture", hint=f"Let it end in {SUFFIX}.")
    if path.exists() and not _is_picture(path):
        raise UserError(
            f"-o: {path} is there, and is no picture", hint="Give another name with -o."
        )
    if not path.absolute().parent.is_dir():
        raise UserError(
            f"-o: there is no folder {path.absolute().parent}",
            hint="Make it, or give another name with -o.",
        )


def _is_picture(path: Path) -> bool:
    """Return whether a file is a picture, such as an earlier one of the data."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(4) == b"\x89PNG"
    except OSError:
        return False


def _load(source: Source[Any]) -> Splits:
    """Load the splits; what can be streamed is, so that no more than is drawn is read."""
    from hpc_dl.data import loading

    workers = 0 if source.options.can_stream else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return loading.load(source, workers, check=False)
        except (Exception, SystemExit) as error:
            if isinstance(error, UserError) or not isinstance(source.options, UserData):
                raise
            raise failures.describe(error, source.options.name) from None


def _save(picture: Picture, path: Path) -> None:
    try:
        picture.save(path)
    except OSError as error:
        raise UserError(f"-o: {path} cannot be written: {reason(error)}") from None
