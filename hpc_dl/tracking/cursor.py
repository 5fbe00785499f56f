"""How far a run's journal has been brought, kept in the run folder."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import NonNegativeInt, TypeAdapter, ValidationError

from hpc_dl.errors import EXIT_FAILED, UserError
from hpc_dl.run.layout import DamagedFile, RunDir, read_bytes, write_json

Offset = NonNegativeInt
"""Bytes of the journal that have been dealt with."""
T = TypeVar("T")


@dataclass
class Position:
    """What of the journal is in the store.

    `newest` holds the last step brought of each metric: a resumed attempt trains steps again, with
    the same results, and none of them is to appear twice.
    """

    store: str = ""
    """The URI of the store, without a password. In another one, everything is still to be told."""
    mlflow_id: str | None = None
    offset: Offset = 0
    newest: dict[str, int] = field(default_factory=dict)
    state: str = ""
    """The last state that the store was told."""
    untold: dict[str, Any] | None = None
    """A `state` event that was read, and that the store has not been told of yet."""

    @classmethod
    def load(cls, run: RunDir) -> Position:
        """Where it was left. A damaged file is as good as none: the store knows what it has."""
        found = load(run.tracking, cls) or cls()
        return found if found.offset <= journal_size(run) else cls()

    def save(self, run: RunDir) -> None:
        save(run.tracking, dataclasses.asdict(self))


def load(path: Path, kind: type[T]) -> T | None:
    """What a state file holds, without fields of another hpcdl; None where absent or damaged."""
    try:
        return _read(path, kind)
    except DamagedFile:
        return None


def save(path: Path, value: dict[str, Any]) -> None:
    """Write a state file. Raises UserError, for a full disk is not the store's fault."""
    try:
        write_json(path, value)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="What has arrived in the store is sent again afterwards, and is not doubled.",
            exit_code=EXIT_FAILED,
        ) from error


def damage(path: Path, kind: type[Any]) -> str:
    """What is wrong with a state file, in a line; "" if nothing."""
    try:
        _read(path, kind)
    except DamagedFile as error:
        return error.message
    return ""


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        content = read_bytes(path)
        found: T = _adapter(kind).validate_json(content, strict=True)  # type: ignore[arg-type]
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DamagedFile(path, f"is damaged: {where and f'{where}: '}{first['msg']}") from None
    return found


_adapter = functools.cache(TypeAdapter)


def journal_size(run: RunDir) -> int:
    """Bytes of the journal."""
    try:
        return run.journal.stat().st_size
    except FileNotFoundError:
        return 0
