"""What has come of a run's attempts since it was submitted: requeues, and whether it gets on."""

from __future__ import annotations

from typing import NamedTuple

from hpc_dl import journal
from hpc_dl.rundir import RunDir


class Attempts(NamedTuple):
    """Of the newest submission."""

    requeued: int
    """How often the job was journalled to be started again."""
    began: tuple[int, ...]
    """The step at which each attempt began."""
    saved: int
    """The newest step that is saved."""

    @property
    def stand_still(self) -> bool:
        """Whether an attempt that followed another has come no further than where it began."""
        return len(self.began) > 1 and self.saved <= self.began[-1]


def attempts(run: RunDir) -> Attempts:
    """Read them from the run's journal."""
    requeued, saved, former = 0, 0, ""
    began: dict[str, int] = {}
    for event, _, _ in journal.read(run.journal, kinds=("state", "started", "saved")):
        match event["event"]:
            case "state":
                state = event["state"]
                if state == "planned":
                    requeued, began = 0, {}
                requeued += state == "requeued" != former  # the worker and its job both say so
                former = state
            case "started":
                saved = event["step"]
                began.setdefault(str(event.get("attempt")), saved)
            case "saved":
                saved = event["step"]
    return Attempts(requeued, tuple(began.values()), saved)
