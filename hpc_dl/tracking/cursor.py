"""Sync cursor: how far a run's journal has been sent to the store."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, Field, NonNegativeInt

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.run import records
from hpc_dl.run.layout import DamagedFile, RunDir, write_json

Offset = NonNegativeInt
"""A position in the journal, in bytes."""
T = TypeVar("T")


@dataclass
class Cursor:
    """Position of a sync in the journal, with what the store has; saved in the run folder."""

    store: str = ""
    """The store's URI, without a password. For another store, a sync begins at the start."""
    mlflow_id: str | None = None
    offset: Offset = 0
    newest: dict[str, int] = field(default_factory=dict)
    """The last step sent of each metric: a resumed attempt trains some steps again, with the same
    results, and sends none of them twice."""
    state: str = ""
    """The last state sent."""
    pending_state: Annotated[
        dict[str, Any] | None, Field(validation_alias=AliasChoices("pending_state", "untold"))
    ] = None
    """A `state` event that was read and not yet sent."""
    mark: str = ""
    """What this folder has written last into the MLflow run; see `marks`."""
    folder: str = ""
    """The name that the run folder had then."""

    @classmethod
    def load(cls, run: RunDir) -> Cursor:
        """Return the saved cursor; a new one where the file is damaged, and one at the start where
        it does not fit the journal.

        A sync from the start is safe: the store knows what it has.
        """
        found = load(run.tracking, cls) or cls()
        if found.offset <= journal_size(run):
            return found
        return cls(found.store, found.mlflow_id, mark=found.mark, folder=found.folder)

    def save(self, run: RunDir) -> None:
        save(run.tracking, dataclasses.asdict(self))


def load(path: Path, kind: type[T]) -> T | None:
    """Return the content of a state file; None where it is absent or damaged."""
    try:
        return records.find(path, kind)
    except DamagedFile:
        return None


def save(path: Path, value: dict[str, Any]) -> None:
    """Write a state file. Raises UserError, since a full disk is not the store's fault."""
    try:
        write_json(path, value)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="The next sync sends again what the store has already; it is not doubled there.",
            exit_code=EXIT_FAILED,
        ) from error


def describe_damage(path: Path, kind: type[Any]) -> str:
    """Describe in a line what is wrong with a state file; "" if nothing."""
    try:
        records.find(path, kind)
    except DamagedFile as error:
        return error.message
    return ""


def journal_size(run: RunDir) -> int:
    """Return the size of the journal in bytes."""
    try:
        return run.journal.stat().st_size
    except FileNotFoundError:
        return 0
