"""What has come of a run's attempts since it was submitted: requeues, and whether it gets on."""

from __future__ import annotations

from typing import NamedTuple

from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo


class Attempts(NamedTuple):
    """Of the newest submission."""

    names: tuple[str, ...]
    """Each as JOB.RESTARTS, those that have not come so far as to train among them."""
    trained: tuple[str, ...]
    """The names of those that have come so far."""
    began: tuple[int, ...]
    """The step at which each that trained began."""
    saved: int
    """The newest step that is saved."""
    decided: str
    """The attempt about which it was decided last whether it goes on."""

    @property
    def stand_still(self) -> bool:
        """Whether an attempt that followed another has come no further than where it began."""
        return len(self.began) > 1 and self.saved <= self.began[-1]

    def start_in_vain(self, attempt: str) -> bool:
        """Whether neither this attempt nor the one before has come so far as to train."""
        former = [name for name in self.names if name != attempt]
        return bool(former) and not {attempt, former[-1]} & set(self.trained)

    def requeues(self, rank_info: RankInfo) -> int:
        """How often the run was started again, whoever did it, before the attempt at `place`.

        Slurm counts the starts of a job; where it may not be requeued, other jobs went before it.
        """
        restarts = {rank_info.job_id: rank_info.restarts}
        for name in self.names:
            job, _, count = name.rpartition(".")
            if count.isdecimal():
                restarts[job] = max(restarts.get(job, 0), int(count))
        return sum(restarts.values()) + len(restarts) - 1


def attempts(run: RunDir) -> Attempts:
    """Read them from the run's journal."""
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
