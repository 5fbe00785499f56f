"""How runs on a real Slurm are seen and stopped."""

import os
import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hpc_dl.errors import UserError
from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir, read_json
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler.slurm.script import job_script
from hpc_dl.scheduler.submit import submit
from hpc_dl.status import Status, cancel_run, read_status, read_statuses, reconcile
from hpc_dl.tracking.sync import sync_run
from hpc_dl.usage import report
from tests.support.cluster import Cluster
from tests.support.own_models import line_of, own_models
from tests.support.running import events
from tests.support.slurm_runs import job_of, new_slurm_run, wait_for
from tests.support.stores import mlflow_run
from tests.support.waiting import wait_until

LONG = {"epochs": 100_000, "log_every": 100}


@pytest.fixture(autouse=True)
def on_the_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", cluster.env["SLURM_CONF"])


def planned(tmp_path: Path, model: str = "Slow", **sections: Any) -> tuple[RunDir, Plan]:
    base = own_models(tmp_path / "base")
    model_of = {"name": f"own.py:{model}"}
    return new_slurm_run(tmp_path / "runs", base, model=model_of, **sections)


def submitted(tmp_path: Path, model: str = "Slow", **sections: Any) -> RunDir:
    run, plan = planned(tmp_path, model, **sections)
    submit(run, plan)
    return run


def wait_until_training(run: RunDir) -> Status:
    ranks = wait_until(lambda: events(run, "started"), 120, message="no rank has started")
    return wait_for(run, "running", str(ranks[0]["world_size"]))


# ---- seen from its submission to its end


@pytest.mark.every_release
def test_a_queued_run_shows_what_it_waits_for_and_can_be_cancelled(tmp_path: Path) -> None:
    run = submitted(tmp_path, resources={"slurm": {"begin": "now+1hour"}})
    status = read_status(run)
    assert (status.state, status.where) == ("queued", "main")
    assert wait_for(run, "queued", "waiting for its begin time (BeginTime)").job_id == job_of(run)
    cancelled = cancel_run(run)
    assert (cancelled.state, cancelled.reason) == ("cancelled", "cancelled by the user")
    assert journal.last_state(run.journal)[0] == "cancelled"


def test_a_job_is_found_though_its_submission_is_damaged(tmp_path: Path) -> None:
    run = submitted(tmp_path, resources={"slurm": {"begin": "now+1hour"}})
    other = submitted(tmp_path, resources={"slurm": {"begin": "now+1hour"}})
    job_id = job_of(run)
    run.submission.write_text('{"backend": "slurm", "job_id": "all"}')
    damaged, whole = read_statuses([run, other])
    assert (damaged.state, damaged.job_id, damaged.active) == ("queued", job_id, True)
    assert str(run.submission) in damaged.reason
    assert (whole.state, whole.faults) == ("queued", [])
    assert cancel_run(run).state == "cancelled"
    assert cancel_run(other).state == "cancelled"


@pytest.mark.nightly
def test_two_nodes_with_two_tasks_train_to_the_end(tmp_path: Path) -> None:
    run = submitted(
        tmp_path, "Own", train={"epochs": 2}, resources={"nodes": 2, "tasks_per_node": 2}
    )
    done = wait_for(run, "completed")
    assert events(run, "started")[0]["world_size"] == 4
    assert done.step == done.steps == 24
    assert done.where.startswith("n")
    assert "," in done.where or "-" in done.where
    for rank in range(4):
        assert (run.logs / f"{job_of(run)}-{rank}.log").is_file()
    wait_until(run.report.exists, message="no report")
    used = report.read(run).used
    assert used.rank_seconds > 3 * used.seconds
    assert 2**27 < used.memory < 2**32, "the ranks of one node"


def test_a_script_submitted_by_hand_is_found(cluster: Cluster, tmp_path: Path) -> None:
    run, plan = planned(tmp_path, train=LONG)
    file = tmp_path / "job.sh"
    file.write_text(job_script(plan))
    job_id = cluster.run("sbatch", "--parsable", str(file))
    running = wait_until_training(run)
    assert running.job_id == job_id
    assert cancel_run(run).state == "cancelled"


@pytest.mark.every_release
def test_a_task_of_an_array_is_told_from_the_others(cluster: Cluster, tmp_path: Path) -> None:
    run, plan = planned(tmp_path, train=LONG)
    file = tmp_path / "job.sh"
    file.write_text(job_script(plan))
    array = cluster.run("sbatch", "--parsable", "--array=3", str(file))
    cluster.run("sbatch", "--array=4", "--output=/dev/null", "--wrap", "false")
    assert wait_until_training(run).job_id == f"{array}_3"
    assert cancel_run(run).state == "cancelled"


@pytest.mark.every_release
def test_a_suspended_run_is_shown_as_suspended(cluster: Cluster, tmp_path: Path) -> None:
    run = submitted(tmp_path, train=LONG)
    wait_until_training(run)
    cluster.run("scontrol", "suspend", job_of(run))
    status = read_status(run)
    assert (status.state, status.reason) == ("running", "suspended by Slurm")
    cluster.run("scontrol", "resume", job_of(run))
    assert read_status(run).reason == "1 rank on n1, cpu, from the beginning".replace(
        "n1", status.where
    )
    cancel_run(run)


# ---- failures


@pytest.mark.nightly
def test_an_exception_in_the_users_model_is_shown_with_its_place(tmp_path: Path) -> None:
    run = submitted(tmp_path, "Failing")
    status = wait_for(run, "failed")
    assert status.reason == f"RuntimeError: the loss exploded (own.py:{line_of('exploded')})"


@pytest.mark.nightly
def test_an_exception_on_another_node_is_shown_as_such(tmp_path: Path) -> None:
    run = submitted(tmp_path, "FailingOnRank1", train=LONG, resources={"nodes": 2})
    status = wait_for(run, "failed")
    assert status.reason.startswith("RuntimeError: the loss exploded (own.py:")
    assert "on rank 1 (n" in status.reason
    reconcile([run])
    assert journal.last_state(run.journal)[1] == status.reason


@pytest.mark.nightly
def test_a_rank_killed_with_kill_9_fails_the_run(tmp_path: Path) -> None:
    asked = {"nodes": 2, "max_requeues": 0}
    run = submitted(tmp_path, "KilledOnRank1", train=LONG, resources=asked)
    wait_for(run, "failed")
    wait_until(
        lambda: "without an error message" in read_status(run).reason, message="not explained"
    )


@pytest.mark.nightly
def test_a_node_that_fails_is_named(
    cluster: Cluster, fragile_nodes: tuple[str, ...], tmp_path: Path
) -> None:
    asked = {"partition": "fragile", "max_requeues": 0}
    run = submitted(tmp_path, train=LONG, resources=asked)
    node = wait_until_training(run).where
    assert node in fragile_nodes
    cluster.kill_node(node)
    assert wait_for(run, "failed").reason.startswith(f"node {node} failed")
    reconcile([run])
    sync_run(run, lock_timeout=60)  # as `hpcdl sync` and the dashboard do
    told = mlflow_run(run, read_json(run.plan)["tracking_uri"])
    assert told.info.status == "FAILED"
    assert told.data.tags["hpcdl.reason"].startswith(f"node {node} failed")


# ---- stopped, and going on


@pytest.mark.every_release
def test_a_cancelled_run_has_saved(tmp_path: Path) -> None:
    run = submitted(tmp_path, train=LONG, resources={"nodes": 2})
    wait_until_training(run)
    status = cancel_run(run)
    assert status.state == "cancelled"
    assert status.reason.startswith("cancelled by the user; saved at step ")
    assert list(run.checkpoints.glob("step-*"))


@pytest.mark.nightly
def test_a_run_cancelled_with_scancel_is_cancelled_and_not_requeued(
    cluster: Cluster, tmp_path: Path
) -> None:
    run = submitted(tmp_path, train=LONG)
    wait_until_training(run)
    cluster.run("scancel", job_of(run))
    wait_until(lambda: read_status(run).state == "cancelled", 60, message="not cancelled")


@pytest.mark.nightly
def test_a_run_that_may_not_be_requeued_runs_out_of_time(tmp_path: Path) -> None:
    run = submitted(tmp_path, train=LONG, resources={"time": "1", "max_requeues": 0})
    status = wait_for(run, "timeout", seconds=180)
    assert status.reason == "wall-clock limit; `hpcdl submit` resumes it"
    assert list(run.checkpoints.glob("step-*"))


# ---- when Slurm does not know, or does not answer


def left_running(root: Path, job_id: str, submitted_at: float) -> RunDir:
    """A run whose worker had not the time for a last word."""
    run, _ = new_slurm_run(root)
    Journal(run.journal).append("state", state="running", reason="1 rank")
    Submission("slurm", job_id, os.uname().nodename, submitted_at).save(run)
    return run


@pytest.mark.every_release
def test_a_recycled_job_id_is_not_taken_for_the_run(tmp_path: Path) -> None:
    other = submitted(tmp_path / "other", resources={"slurm": {"begin": "now+1hour"}})
    run = left_running(tmp_path / "root", job_of(other), time.time() - 86400)
    assert read_status(run).state == "failed"
    assert read_status(other).state == "queued"
    cancel_run(other)


def test_a_job_unknown_to_slurm_is_judged_by_its_log(tmp_path: Path) -> None:
    run = left_running(tmp_path, "999999", time.time())
    log = run.logs / "999999-batch.log"
    log.write_text("slurmstepd-n1: error: *** JOB 999999 ON n1 CANCELLED AT x DUE TO TIME LIMIT\n")
    assert read_status(run).state == "timeout"
    reconcile([run])
    assert journal.last_state(run.journal)[0] == "timeout"


@pytest.mark.every_release
def test_a_job_that_the_controller_has_forgotten_is_in_the_database(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped = ("sbatch", "--parsable", "--output=/dev/null", "--wrap")
    job_id, began = cluster.run(*wrapped, "exit 3"), time.time()
    forgetful = tmp_path / "bin" / "squeue"
    forgetful.parent.mkdir()
    forgetful.write_text("#!/bin/sh\necho 'Invalid job id specified' >&2; exit 1\n")
    forgetful.chmod(0o755)
    query = ("sacct", "-nXP", "-j", job_id, "--format=State")
    wait_until(lambda: cluster.run(*query) == "FAILED", 60, message="not in the database")
    monkeypatch.setenv("PATH", f"{forgetful.parent}:{os.environ['PATH']}")
    status = read_status(left_running(tmp_path / "root", job_id, began))
    assert (status.state, status.reason) == (
        "failed",
        "ended with exit code 3 without an error message",
    )


@pytest.mark.every_release
def test_one_squeue_answers_for_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = [
        submitted(tmp_path / name, resources={"slurm": {"begin": "now+1hour"}}) for name in "abc"
    ]
    (tmp_path / "bin").mkdir()
    for name in ("squeue", "sacct"):
        counting = tmp_path / "bin" / name
        real = shutil.which(name)
        counting.write_text(f'#!/bin/sh\necho x >>{tmp_path}/{name}\nexec {real} "$@"\n')
        counting.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    assert [status.state for status in read_statuses(waiting)] == ["queued"] * 3
    assert (tmp_path / "squeue").read_text() == "x\n"
    assert not (tmp_path / "sacct").exists()
    for run in waiting:
        cancel_run(run)


@pytest.fixture
def cut_off(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster's configuration with a port at which no controller listens."""
    text = Path(cluster.env["SLURM_CONF"]).read_text()
    conf = tmp_path / "cut-off.conf"
    conf.write_text(text.replace("SlurmctldPort=", "SlurmctldPort=1\n# "))
    monkeypatch.setenv("SLURM_CONF", str(conf))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("cut_off")
def test_without_a_controller_the_last_known_state_is_shown(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = left_running(tmp_path, "999999", time.time())
    before = datetime.now()
    status = read_status(run)
    assert status.state == "running"
    assert not status.reachable
    since = {f"cluster unreachable since {at:%H:%M}" for at in (before, datetime.now())}
    assert status.reason.removesuffix("; last known: running") in since
    (note,) = (tmp_path / "cache" / "hpcdl").iterdir()
    os.utime(note, (0, 0))  # so long ago
    assert f"since {datetime.fromtimestamp(0):%H:%M}" in read_status(run).reason
    monkeypatch.setenv("SLURM_CONF", cluster.env["SLURM_CONF"])
    assert read_status(run).reachable
    assert not note.exists()


@pytest.mark.every_release
def test_without_accounting_an_unknown_job_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sacct = tmp_path / "bin" / "sacct"
    sacct.parent.mkdir()
    sacct.write_text("#!/bin/sh\necho 'Slurm accounting storage is disabled' >&2; exit 1\n")
    sacct.chmod(0o755)
    monkeypatch.setenv("PATH", f"{sacct.parent}:{os.environ['PATH']}")
    run = left_running(tmp_path / "root", "999999", time.time())
    assert read_status(run).state == "failed"
    reconcile([run])
    assert journal.last_state(run.journal) == ("failed", "killed without an error message")


@pytest.mark.usefixtures("cut_off")
def test_without_a_controller_nothing_is_cancelled(tmp_path: Path) -> None:
    run = left_running(tmp_path, "1", time.time())
    with pytest.raises(UserError, match="the cluster cannot be reached") as caught:
        cancel_run(run)
    assert caught.value.exit_code == 3
    assert not run.cancel.exists()
