"""Attempts of a run since it was submitted: how many, and whether they make progress."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from hpc_dl.run import journal
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.run.rank_info import RankInfo


class Attempts(NamedTuple):
    """The attempts of the newest submission."""

    names: tuple[str, ...]
    """Each as JOB.RESTARTS, with those that ended before they trained."""
    trained: tuple[str, ...]
    """The names of those that have trained."""
    began: tuple[int, ...]
    """The step at which each that trained began."""
    saved: int
    """The newest step that is saved."""
    decided: str
    """The newest attempt of which is journalled what follows it; empty if of none."""

    @property
    def made_no_progress(self) -> bool:
        """True if an attempt that followed another has saved nothing beyond where it began."""
        return len(self.began) > 1 and self.saved <= self.began[-1]

    def failed_to_start_twice(self, attempt: str) -> bool:
        """Return whether neither this attempt nor the one before has trained."""
        former = [name for name in self.names if name != attempt]
        return bool(former) and not {attempt, former[-1]} & set(self.trained)

    def requeues(self, rank_info: RankInfo) -> int:
        """Return how many restarts there were up to this attempt, whoever requested them.

        A scheduler counts the restarts of a job; without requeues there are several jobs.
        """
        restarts = {rank_info.job_id: rank_info.restarts}
        for name in self.names:
            job, _, count = name.rpartition(".")
            if count.isdecimal():
                restarts[job] = max(restarts.get(job, 0), int(count))
        return sum(restarts.values()) + len(restarts) - 1


def attempts(run: RunDir) -> Attempts:
    """Read the attempts from the run's journal."""
    saved, decided = 0, ""
    names: dict[str, None] = {}
    began: dict[str, int] = {}
    for event, _, _ in journal.read(run.journal, kinds=("state", "started", "saved")):
        if event.get("state") == "planned":
            names, began, decided = {}, {}, ""
        if attempt := event.get("attempt"):
            names[attempt] = None
        match event["event"]:
            case "state":
                decided = attempt or decided
            case "started":
                saved = event["step"]
                began.setdefault(str(attempt), saved)
            case "saved":
                saved = event["step"]
    return Attempts(tuple(names), tuple(began), tuple(began.values()), saved, decided)


def started_on(run: RunDir) -> str:
    """Return the host on which the newest attempt has started, by the journal; empty if unknown."""
    host = ""
    with contextlib.suppress(DamagedFile):
        for event, _, _ in journal.read(run.journal, kinds=("state", "started")):
            if event["event"] == "started":
                host = (event.get("environment") or {}).get("host") or ""
            elif event["state"] == "planned":
                host = ""
    return host
