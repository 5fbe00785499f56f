"""`max_requeues` means as many requeues, whatever ends the attempts and whoever starts them again.

What Slurm answers is a stand-in's, so that every cause is tried with every number.
"""

import os
from pathlib import Path

import pytest

from hpc_dl.errors import UserError
from hpc_dl.run import journal
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir, read_json, write_json
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import after_failure, registry, requeue
from tests.support.slurm_runs import new_slurm_run

KILLED, FAILED = 137, 1
SLURM = registry.get("slurm")
SCONTROL = """#!/bin/sh
case "$*" in
  *show*) cat "{root}/job" ;;
  *) echo "$@" >>"{root}/asked" ;;
esac
"""
SBATCH = """#!/bin/sh
echo "sbatch $*" >>"{root}/asked"
wc -l <"{root}/asked" | sed 's/^/10/'
"""


class Stage:
    """A run, and a cluster that takes note of what it is asked for."""

    def __init__(self, root: Path, allowed: int, *, follow_up: bool) -> None:
        self.root, self.follow_up = root, follow_up
        self.run: RunDir = new_slurm_run(root / "runs")[0]
        plan = read_json(self.run.plan)
        write_json(self.run.plan, plan | {"requeues": allowed, "follow_up": follow_up})
        self.rank_info = RankInfo(0, 1, 0, 1, "7.0", "7", 0, "slurm")
        self.slurm_says()

    def slurm_says(self, **fields: str) -> None:
        said = {"JobId": self.rank_info.job_id, "Restarts": str(self.rank_info.restarts)} | fields
        (self.root / "job").write_text(" ".join(f"{k}={v}" for k, v in said.items()))

    def asked(self) -> list[str]:
        file = self.root / "asked"
        return file.read_text().splitlines() if file.exists() else []

    def note(self, state: str) -> None:
        log = Journal(self.run.journal)
        log.append("state", state=state, reason="as the worker says")
        log.close()

    def begin(self) -> None:
        """An attempt that trains, and gets on."""
        requeue.check_restart(self.run, self.rank_info, SLURM)
        log, step = Journal(self.run.journal), 10 * sum("started" in e for e in self.events())
        log.append("started", attempt=self.rank_info.attempt, step=step, cut=0)
        log.append("state", state="running", reason="1 rank")
        log.append("saved", step=step + 10)
        log.close()

    def again(self) -> None:
        """As Slurm starts the next attempt."""
        if self.follow_up:
            sent = Submission.load(self.run)
            job = sent.job_id if sent else str(int(self.rank_info.job_id) + 1)
            self.rank_info = RankInfo(0, 1, 0, 1, f"{job}.0", job, 0, "slurm")
        else:
            restarts = self.rank_info.restarts + 1
            self.rank_info = RankInfo(0, 1, 0, 1, f"7.{restarts}", "7", restarts, "slurm")
        self.slurm_says()

    def events(self) -> list[str]:
        return [entry.event["event"] for entry in journal.read(self.run.journal)]

    def states(self, state: str) -> list[dict[str, str]]:
        found = journal.read(self.run.journal, kinds=("state",))
        return [entry.event for entry in found if entry.event["state"] == state]


def time_limit(stage: Stage) -> None:
    stage.note("stopped")
    requeue.after_stop("requeue", stage.run, stage.rank_info, SLURM)
    after_failure.requeue_or_fail(stage.run, stage.rank_info, SLURM, FAILED)


def pre_emption(stage: Stage) -> None:
    stage.slurm_says(PreemptTime="1795421378")
    stage.note("stopped")
    requeue.after_stop("stopped", stage.run, stage.rank_info, SLURM)
    after_failure.requeue_or_fail(stage.run, stage.rank_info, SLURM, FAILED)


def pre_emption_with_its_own_signal(stage: Stage) -> None:
    stage.slurm_says(PreemptTime="1795421378")
    time_limit(stage)


def terminated(stage: Stage) -> None:
    stage.note("stopped")
    requeue.after_stop("stopped", stage.run, stage.rank_info, SLURM)
    after_failure.requeue_or_fail(stage.run, stage.rank_info, SLURM, FAILED)


def killed(stage: Stage) -> None:
    after_failure.requeue_or_fail(stage.run, stage.rank_info, SLURM, KILLED)


def hung(stage: Stage) -> None:
    requeue.after_failure(stage.run, stage.rank_info, SLURM, "no rank makes progress")
    after_failure.requeue_or_fail(stage.run, stage.rank_info, SLURM, FAILED)


CAUSES = (time_limit, pre_emption, pre_emption_with_its_own_signal, terminated, killed, hung)


@pytest.fixture
def cluster_of_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {"scontrol": SCONTROL, "sbatch": SBATCH}.items():
        (folder / name).write_text(text.format(root=tmp_path))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return tmp_path


@pytest.mark.parametrize("follow_up", [False, True], ids=["requeue", "follow-up job"])
@pytest.mark.parametrize("allowed", [0, 1, 2])
@pytest.mark.parametrize("cause", CAUSES, ids=lambda it: it.__name__)
def test_a_run_is_started_again_as_often_as_it_may(
    cluster_of_paper: Path, cause, allowed: int, follow_up: bool
) -> None:
    stage = Stage(cluster_of_paper, allowed, follow_up=follow_up)
    for number in range(allowed + 1):
        stage.begin()
        cause(stage)
        wanted = [it for it in stage.asked() if it.startswith(("requeue", "sbatch"))]
        assert len(wanted) == len(stage.states("requeued")) == min(number + 1, allowed)
        if number < allowed:
            stage.again()
    state, reason = journal.last_state(stage.run.journal)
    assert state in journal.ENDED
    assert "`hpcdl submit` resumes it" in reason
    if allowed:
        assert f"after {allowed} requeue" in reason


@pytest.mark.parametrize("allowed", [1, 2])
def test_slurm_is_told_of_the_last_requeue_and_does_no_more_of_its_own(
    cluster_of_paper: Path, allowed: int
) -> None:
    """After a node's failure, a pre-emption, or `scontrol requeue`, nobody asks hpcdl."""
    stage = Stage(cluster_of_paper, allowed, follow_up=False)
    for number in range(allowed + 1):
        stage.begin()
        assert ("update jobid=7 requeue=0" in stage.asked()) == (number == allowed)
        stage.again()
    with pytest.raises(UserError, match=f"max_requeues is {allowed}"):
        stage.begin()  # where that was of no avail


def test_requeues_of_slurms_and_of_hpcdls_are_counted_together(cluster_of_paper: Path) -> None:
    stage = Stage(cluster_of_paper, 2, follow_up=False)
    stage.begin()
    stage.again()  # by Slurm
    stage.begin()
    time_limit(stage)
    assert stage.asked() == ["requeue 7"]
    stage.again()
    stage.begin()
    time_limit(stage)
    assert stage.asked().count("requeue 7") == 1


def test_with_another_submission_the_count_begins_anew(cluster_of_paper: Path) -> None:
    stage = Stage(cluster_of_paper, 1, follow_up=True)
    stage.begin()
    killed(stage)
    stage.again()
    stage.begin()
    killed(stage)
    assert len(stage.states("requeued")) == 1
    stage.note("planned")
    stage.again()
    stage.begin()
    killed(stage)
    assert len(stage.states("requeued")) == 2


def test_slurm_was_first(cluster_of_paper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A requeue that is refused because Slurm has requeued the job is one all the same."""
    stage = Stage(cluster_of_paper, 2, follow_up=False)
    stage.begin()
    refuses = "#!/bin/sh\ncase $* in *show*) cat job ;; *) echo Restarts=1 >job; exit 1 ;; esac\n"
    (cluster_of_paper / "bin" / "scontrol").write_text(refuses)
    monkeypatch.chdir(cluster_of_paper)
    killed(stage)
    assert journal.last_state(stage.run.journal) == ("requeued", "a rank was killed (signal 9)")


def test_ranks_that_fail_to_meet_are_not_started_for_ever(cluster_of_paper: Path) -> None:
    stage = Stage(cluster_of_paper, 10, follow_up=False)
    stage.begin()
    killed(stage)
    for _ in range(2):  # the second attempt may have had bad luck, the third has the same
        stage.again()
        killed(stage)
    assert stage.asked().count("requeue 7") == 2
    state, reason = journal.last_state(stage.run.journal)
    assert state == "failed"
    assert "in two attempts the training has not begun" in reason


def test_an_attempt_that_trains_again_may_fail_to_start_again(cluster_of_paper: Path) -> None:
    stage = Stage(cluster_of_paper, 10, follow_up=False)
    for _ in range(3):
        killed(stage)
        stage.again()
        stage.begin()
        killed(stage)
        stage.again()
    assert stage.asked().count("requeue 7") == 6
