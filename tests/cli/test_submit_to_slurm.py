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
    assert main(words) == 0
    said = capsys.readouterr().out
    run = RunDir(root / "quick-1")
    job = read_status(run).job_id
    assert f"quick-1: Slurm job {job}, a new run" in said
    for command in ("hpcdl status quick-1", "hpcdl logs quick-1 -f", "hpcdl cancel quick-1"):
        assert command in said
    assert cluster.run("squeue", "-h", "-j", str(job), "-o", "%j %T") == "quick PENDING"
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
