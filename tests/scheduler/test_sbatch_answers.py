"""Whatever becomes of sbatch's answer, a run has one job on a real Slurm, and knows which."""

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpc_dl import worker
from hpc_dl.errors import UserError
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal, lease
from hpc_dl.run.layout import RunDir
from hpc_dl.run.process_identity import Process
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.base import Unconfirmed
from hpc_dl.scheduler.slurm import client
from hpc_dl.scheduler.slurm import submit as slurm_submit
from hpc_dl.scheduler.submit import submit
from hpc_dl.status import cancel_run, read_status, reconcile
from tests.support.cluster import Cluster
from tests.support.slurm_runs import job_of, new_slurm_run

pytestmark = pytest.mark.every_release
SLURM = registry.get("slurm")
TIMED_OUT = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"


class Site:
    """A run that waits in the queue, on a cluster whose sbatch may be wrapped."""

    def __init__(self, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cluster, self.folder = cluster, tmp_path / "bin"
        self.run: RunDir
        self.plan: Plan
        name, asked = f"answer-{os.getpid()}", {"slurm": {"begin": "now+1hour"}}
        self.run, self.plan = new_slurm_run(tmp_path / "runs", name=name, resources=asked)
        self.folder.mkdir()
        monkeypatch.setenv("PATH", f"{self.folder}:{os.environ['PATH']}")

    def wrap(self, command: str, text: str) -> None:
        """Put a script of shell before one of Slurm's commands, which it calls $REAL."""
        real = self.cluster.run("sh", "-c", f"command -v {command}")
        (self.folder / command).write_text(f"#!/bin/bash\nREAL={real}\n{text}\n")
        (self.folder / command).chmod(0o755)

    def unwrap(self, command: str) -> None:
        (self.folder / command).unlink()

    def submit(self) -> Submission:
        return submit(self.run, self.plan)

    @property
    def jobs(self) -> list[str]:
        """The numbers of the run's jobs in the queue."""
        rows = self.cluster.run("squeue", "-h", "-o", "%i %k").splitlines()
        return [row.split()[0] for row in rows if f"hpcdl:{self.run.id}:" in row]


@pytest.fixture
def site(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SLURM_CONF", cluster.env["SLURM_CONF"])
    monkeypatch.setattr(slurm_submit, "SEARCH_SECONDS", 2.0)
    found = Site(cluster, tmp_path, monkeypatch)
    for job in found.jobs:  # of a test before, whose run had the same name
        cluster.run("scancel", job)
    yield found
    for job in found.jobs:
        cluster.run("scancel", job)


@pytest.mark.parametrize(
    "answer",
    [
        'echo "sbatch: lua: charged to demo" >&2; exec $REAL "$@"',
        'echo "Welcome, 17 messages"; $REAL "$@"; echo goodbye',
        'echo "$($REAL "$@");hpcdl"',
        'echo "Submitted batch job $($REAL "$@" | cut -d";" -f1) on cluster hpcdl"',
        '$REAL "$@" >/dev/null; echo "your job is in good hands"',
        f'$REAL "$@" >/dev/null; echo "{TIMED_OUT}" >&2; exit 1',
        '$REAL "$@" >/dev/null; echo "segmentation fault" >&2; exit 139',
        '$REAL "$@" >/dev/null; kill -9 $$',
    ],
)
def test_the_job_is_known_whatever_sbatch_says(site: Site, answer: str) -> None:
    site.wrap("sbatch", answer)
    submission = site.submit()
    assert site.jobs == [submission.job_id]
    assert Submission.load(site.run) == submission
    assert read_status(site.run).state == "queued"


def test_an_sbatch_that_hangs_has_submitted_all_the_same(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "COMMAND_SECONDS", 2.0)
    site.wrap("sbatch", '$REAL "$@"; sleep 600')
    began = time.monotonic()
    job = site.submit().job_id
    assert site.jobs == [job]
    assert time.monotonic() - began < 60


def test_a_job_that_comes_late_is_found_and_not_sent_again(site: Site, tmp_path: Path) -> None:
    site.wrap("sbatch", f'echo "$@" >{tmp_path}/asked; echo "{TIMED_OUT}" >&2; exit 1')
    with pytest.raises(Unconfirmed, match="not known yet whether the job of"):
        site.submit()
    status = read_status(site.run)
    assert (status.state, status.reachable) == ("unknown", False)
    assert "not known yet whether Slurm has it" in status.reason
    with pytest.raises(UserError, match="not known yet"):
        cancel_run(site.run)
    site.run.cancel.unlink()
    site.unwrap("sbatch")
    late = site.cluster.run("sbatch", *(tmp_path / "asked").read_text().split()).split(";")[0]
    assert (read_status(site.run).state, job_of(site.run)) == ("queued", "")
    reconcile([site.run])
    assert job_of(site.run) == late
    assert site.jobs == [late]


def test_a_job_that_slurm_never_got_may_be_sent_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.wrap("sbatch", f'echo "{TIMED_OUT}" >&2; exit 1')
    with pytest.raises(Unconfirmed):
        site.submit()
    monkeypatch.setattr(sys.modules["hpc_dl.status.job_status"], "UNCONFIRMED_SECONDS", 0.0)
    status = read_status(site.run)
    assert status.state == "failed"
    assert status.reason.startswith("it was never submitted")


def test_an_answer_without_a_job_is_not_believed(site: Site) -> None:
    site.wrap("sbatch", "echo fine")
    with pytest.raises(Unconfirmed, match="sbatch says 'fine'"):
        site.submit()


def test_a_submission_that_was_killed_before_the_answer_is_taken_up(site: Site) -> None:
    site.run.script.write_text("#!/bin/sh\nexit\n")
    intent = Submission.intend(site.run, "slurm")
    given = ("--begin=now+1hour", f"--comment={intent.mark}", str(site.run.script), intent.mark)
    job = site.cluster.run("sbatch", "--parsable", *given)
    status = read_status(site.run)
    assert (status.state, status.job_id) == ("queued", job)
    assert cancel_run(site.run).state == "cancelled"


def test_a_users_comment_stays_and_the_job_is_known(site: Site) -> None:
    plan = dataclasses.replace(site.plan, sbatch={**site.plan.sbatch, "comment": "project 7"})
    site.wrap("sbatch", f'$REAL "$@" >/dev/null; echo "{TIMED_OUT}" >&2; exit 1')
    job = submit(site.run, plan).job_id
    assert site.cluster.run("squeue", "-h", "-j", job, "-o", "%k") == "project 7"
    assert read_status(site.run).state == "queued"
    assert cancel_run(site.run).state == "cancelled"


def test_the_follow_up_job_is_known_too(site: Site) -> None:
    first = site.submit()
    site.wrap("sbatch", f'$REAL "$@" >/dev/null; echo "{TIMED_OUT}" >&2; exit 1')
    rank_info = RankInfo(0, 1, 0, 1, f"{first.job_id}.0", first.job_id, 0, "slurm")
    plan = dataclasses.replace(site.plan, follow_up=True)
    registry.get("slurm").requeue(site.run, plan, rank_info)
    second = job_of(site.run)
    assert sorted(site.jobs) == sorted([first.job_id, second])
    dependency = site.cluster.run("squeue", "-h", "-j", second, "-o", "%E")
    assert dependency.startswith(f"afterany:{first.job_id}")


# ---- what the controller and the database say of it


def test_a_clock_that_is_wrong_does_not_end_a_job(site: Site) -> None:
    ahead = dataclasses.replace(site.submit(), submitted=time.time() + 86400)
    ahead.save(site.run)
    assert read_status(site.run).state == "queued"


@pytest.mark.parametrize("output", ["", "echo 'CACHED AT 12:00'", "echo oops >&2; exit 1"])
def test_a_squeue_that_does_not_see_the_job_does_not_end_it(site: Site, output: str) -> None:
    site.submit()
    for command in ("squeue", "sacct"):
        site.wrap(command, output)
    assert read_status(site.run).state == "queued"
    assert journal.last_state(site.run.journal)[0] == "planned"


def test_a_job_of_another_cluster_is_not_ended_by_this_one(site: Site) -> None:
    job = dataclasses.replace(site.submit(), cluster="other", job_id="999999")
    job.save(site.run)
    status = read_status(site.run)
    assert (status.state, status.reachable) == ("queued", False)
    assert "ask there" in status.reason


def test_another_users_job_is_not_ended_by_what_he_hides(site: Site) -> None:
    job = dataclasses.replace(site.submit(), user="ann", job_id="999999")
    job.save(site.run)
    status = read_status(site.run)
    assert (status.state, status.reachable) == ("queued", False)


@pytest.mark.parametrize(
    ("state", "said"),
    [("RESV_DEL_HOLD", "held, for its reservation is gone"), ("TELEPORTING", "Slurm says TELEP")],
)
def test_a_state_that_is_rare_or_new_does_not_end_a_job(site: Site, state: str, said: str) -> None:
    site.submit()
    site.wrap("squeue", f"$REAL \"$@\" | sed 's/|PENDING|/|{state}|/'")
    status = read_status(site.run)
    assert status.state == "queued"
    assert status.reason.startswith(said)
    assert journal.last_state(site.run.journal)[0] == "planned"


# ---- two jobs, one folder


def test_a_job_that_has_been_replaced_leaves(site: Site) -> None:
    former = site.submit()
    newer = Submission.intend(site.run, "slurm")
    rank_info = RankInfo(0, 1, 0, 1, f"{former.job_id}.0", former.job_id, 0, "slurm")
    with pytest.raises(UserError, match="has been submitted again"):
        worker._own_submission(site.run, rank_info, SLURM, former.mark)
    assert worker._own_submission(site.run, rank_info, SLURM, newer.mark).job_id == former.job_id


@pytest.mark.nightly
def test_a_second_job_in_the_folder_sees_the_first_and_leaves(site: Site, tmp_path: Path) -> None:
    first = site.submit()
    elsewhere = Process("another boot/pid:[1]", 1, 1.0)
    lease._make(site.run, 1, lease.Holder(first, 0, elsewhere, "n3", time.time()))
    said = site.run.journal.read_bytes()
    log = tmp_path / "second.log"
    by_hand = ["sbatch", "--parsable", "--begin=now", f"--output={log}", "--wait"]
    done = subprocess.run(
        [*by_hand, str(site.run.script)],
        env=site.cluster.env,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 1, log.read_text()
    second = done.stdout.strip()
    (printed,) = site.run.logs.glob(f"{second}-0.log")
    assert f"is being trained by Slurm job {first.job_id} on n3 since" in printed.read_text()
    assert site.run.journal.read_bytes() == said
    assert Submission.load(site.run) == first
    assert read_status(site.run).state == "queued"
