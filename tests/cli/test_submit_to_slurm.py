"""`hpcdl submit` on a real Slurm, as it is typed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_dl.cli import main
from hpc_dl.run import layout
from hpc_dl.run.layout import RunDir
from hpc_dl.status import read_status
from tests.support.cluster import Cluster
from tests.support.own_models import own_models
from tests.support.running import wait_for_end
from tests.support.typed import QUICK, hpcdl, job_file, settings
from tests.support.waiting import wait_until

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def root(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all runs, which is not there yet; jobs go to the test cluster."""
    for name, value in (settings(tmp_path) | {"SLURM_CONF": cluster.env["SLURM_CONF"]}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HPCDL_SITE", "test-cluster")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "runs"


@pytest.mark.every_release
def test_submit_returns_at_once_with_the_next_commands(
    cluster: Cluster, tmp_path: Path, root: Path, capsys: Capture
) -> None:
    words = ["submit", job_file(tmp_path), "resources.slurm.begin=now+1hour"]
    words.append("notify.mail=me@uni.edu")
    assert main(words) == 0
    said = capsys.readouterr().out
    run = RunDir(root / "quick-1")
    job = read_status(run).job_id
    assert f"quick-1: Slurm job {job}, a new run" in said
    for command in ("hpcdl status quick-1", "hpcdl logs quick-1 -f", "hpcdl cancel quick-1"):
        assert command in said
    assert cluster.run("squeue", "-h", "-j", str(job), "-o", "%j %T") == "quick PENDING"
    shown = cluster.run("scontrol", "show", "job", str(job))
    assert "MailUser=me@uni.edu" in shown
    types = shown.partition("MailType=")[2].split()[0]
    assert {*types.split(",")} == {"END", "FAIL", "INVALID_DEPEND"}
    assert main(words) == 2
    assert "quick-1 is training this already: it is queued" in capsys.readouterr().err
    assert main(["cancel", "quick"]) == 0


@pytest.mark.every_release
def test_follow_watches_the_run_to_its_end(tmp_path: Path, root: Path) -> None:
    done = hpcdl("submit", job_file(tmp_path), "--follow", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["run"], found["backend"], found["state"]) == ("quick-1", "slurm", "completed")
    assert "epoch 2/2  step 24/24" in done.stderr


@pytest.mark.nightly
def test_a_failed_job_shows_its_reason(tmp_path: Path) -> None:
    own_models(tmp_path)
    text = QUICK.replace("{name: ffnn, hidden: [32]}", "{name: 'own.py:Failing'}")
    done = hpcdl("submit", job_file(tmp_path, text), "--follow")
    assert done.returncode == 1
    assert "quick-1: failed  RuntimeError: the loss exploded (own.py:" in done.stdout


@pytest.mark.every_release
def test_the_plan_shows_the_expected_start(tmp_path: Path, root: Path, capsys: Capture) -> None:
    assert main(["submit", job_file(tmp_path), "--dry-run=plan"]) == 0
    said = capsys.readouterr().out
    (start,) = [line for line in said.splitlines() if line.startswith("start ")]
    assert "to start at 20" in start
    assert "slurm, site test-cluster, partition main" in said
    assert not root.exists()


@pytest.mark.nightly
def test_sbatch_takes_the_script_as_it_is(
    cluster: Cluster, tmp_path: Path, root: Path, capsys: Capture
) -> None:
    words = ["resources.tasks_per_node=2", "--dry-run=script"]
    assert main(["submit", job_file(tmp_path), *words]) == 0
    sent = subprocess.run(
        ["sbatch", "--parsable", f"--output={tmp_path}/batch.log"],
        input=capsys.readouterr().out,
        capture_output=True,
        text=True,
        check=True,
        env=cluster.env,
    )
    run = RunDir(root / "quick-1")
    wait_until(run.journal.exists, 120, message="the run folder to be made")
    assert wait_for_end(run) == ("completed", "24 steps trained: all steps")
    now = read_status(run)
    assert (now.state, now.job_id) == ("completed", sent.stdout.strip())
    assert main(["submit", job_file(tmp_path)]) == 0
    assert "quick-1 has trained this already" in capsys.readouterr().out


def test_a_cluster_that_does_not_answer_is_exit_code_3(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    conf = tmp_path / "slurm.conf"
    conf.write_text(
        "ClusterName=gone\nSlurmctldHost=localhost\nSlurmctldPort=9\nMessageTimeout=1\n"
    )
    monkeypatch.setenv("SLURM_CONF", str(conf))
    assert main(["submit", job_file(tmp_path)]) == 3
    assert "the cluster cannot be reached" in capsys.readouterr().err


def test_of_two_submissions_at_once_one_starts_a_run(tmp_path: Path, root: Path) -> None:
    file = job_file(tmp_path)
    words = [sys.executable, "-m", "hpc_dl", "submit", file, "resources.slurm.begin=now+1hour"]
    both = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2]
    assert any("quick-1 is training this already" in it for it in said)
    assert [it.id for it in layout.list_runs(root)] == ["quick-1"]
    assert not list(root.glob(".submitting*"))
    assert main(["cancel", "quick"]) == 0


@pytest.mark.nightly
def test_a_run_starts_after_the_success_of_another_alone(
    cluster: Cluster, tmp_path: Path, root: Path, capsys: Capture
) -> None:
    for name in ("good", "bad"):
        words = [f"name={name}", "resources.slurm.hold=true"]
        assert main(["submit", job_file(tmp_path), *words]) == 0
    after = ["submit", job_file(tmp_path), "train.seed=2", "--json"]
    assert main([*after, "name=next", "after=good"]) == 0
    assert main([*after, "name=never", "--after", "good-1", "--after", "bad"]) == 0
    good, late = (str(read_status(RunDir(root / it)).job_id) for it in ("good-1", "next-1"))
    assert main(["submit", job_file(tmp_path), "name=x", "after=good", "--dry-run=plan"]) == 0
    assert f"starts once good-1 (job {good}) is complete" in capsys.readouterr().out
    assert "waiting for another job to end" in read_status(RunDir(root / "next-1")).reason

    cluster.run("scontrol", "release", good)
    assert wait_for_end(RunDir(root / "next-1"))[0] == "completed"
    ended = cluster.run("sacct", "-XnP", "-j", good, "-o", "End")
    assert ended <= cluster.run("sacct", "-XnP", "-j", late, "-o", "Start")

    assert main(["cancel", "bad"]) == 0
    wait_until(
        lambda: read_status(RunDir(root / "never-1")).state == "cancelled",
        60,
        message="the job to be cancelled",
    )
    assert "not started: a job that it waited for has failed" in (
        read_status(RunDir(root / "never-1")).reason
    )
    capsys.readouterr()
    assert main(["submit", job_file(tmp_path), "name=x", "after=bad"]) == 2
    said = capsys.readouterr().err
    assert "after: bad-1 is cancelled, and never becomes complete by itself" in said
    assert main(["submit", job_file(tmp_path), "name=x", "after=[good, bda]"]) == 2
    assert "there is no run 'bda'" in capsys.readouterr().err
    assert main(["submit", job_file(tmp_path), "name=x", "after=good", "--dry-run=plan"]) == 0
    assert "starts once" not in capsys.readouterr().out
