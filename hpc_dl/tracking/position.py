"""How far a run's journal has been brought, kept in the run folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from hpc_dl.rundir import RunDir, read_json, write_json


@dataclass
class Position:
    """What of the journal is in the store.

    `newest` holds the last step brought of each metric: a resumed attempt trains steps again, with
    the same results, and none of them is to appear twice.
    """

    store: str = ""
    """The URI of the store, without a password. In another one, everything is still to be told."""
    mlflow_id: str | None = None
    offset: int = 0
    """Bytes of the journal that have been dealt with."""
    newest: dict[str, int] = field(default_factory=dict)
    state: str = ""
    """The last state that the store was told."""
    untold: dict[str, Any] | None = None
    """A `state` event that was read, and that the store has not been told of yet."""
    files: list[str] = field(default_factory=list)
    """Paths in the run folder that are still to be uploaded."""

    def add(self, *files: str) -> None:
        self.files += [path for path in files if path not in self.files]

    @classmethod
    def load(cls, run: RunDir) -> Position:
        found: dict[str, Any] | None = read_json(run.tracking)
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{key: value for key, value in (found or {}).items() if key in known})

    def save(self, run: RunDir) -> None:
        write_json(run.tracking, dataclasses.asdict(self))
