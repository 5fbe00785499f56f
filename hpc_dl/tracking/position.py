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

    @classmethod
    def load(cls, run: RunDir) -> Position:
        found: dict[str, Any] | None = read_json(run.tracking)
        return cls(**found) if found else cls()

    def save(self, run: RunDir) -> None:
        write_json(run.tracking, dataclasses.asdict(self))
