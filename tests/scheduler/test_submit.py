"""Submitting to a real Slurm: what it accepts, what it refuses, and in which words."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from hpc_dl.errors import UserError
from hpc_dl.run import journal
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.slurm.script import job_script
from hpc_dl.scheduler.submit import submit
from tests.support.cluster import Cluster
from tests.support.slurm_runs import new_slurm_run

pytestmark = pytest.mark.every_release


@pytest.fixture(autouse=True)
def on_the_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", cluster.env["SLURM_CONF"])


WAITS = {"slurm": {"begin": "now+1hour"}}


def test_what_is_shown_is_what_is_submitted(cluster: Cluster, tmp_path: Path) -> None:
    run, plan = new_slurm_run(tmp_path, resources=WAITS)
    submission = submit(run, plan)
    stored = cluster.run("scontrol", "write", "batch_script", submission.job_id, "-")
    assert stored == run.script.read_text().strip() == job_script(plan).strip()
    assert Submission.load(run) == submission
    cluster.run("scancel", submission.job_id)


def test_a_job_submitted_from_inside_a_job_is_one_of_its_own(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"SLURM_JOB_ID": "1", "SLURM_NTASKS": "9", "SBATCH_PARTITION": "x"}.items():
        monkeypatch.setenv(name, value)
    run, plan = new_slurm_run(tmp_path, resources=WAITS)
    job_id = submit(run, plan).job_id
    assert cluster.run("squeue", "-h", "-j", job_id, "-o", "%P %C") == "main 1"
    cluster.run("scancel", job_id)


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"partition": "nope"}, "invalid partition specified: nope"),
        ({"slurm": {"no_such_option": 1}}, "no-such-option"),
        ({"mem": "900G"}, "Memory specification can not be satisfied"),
    ],
)
def test_a_refusal_comes_in_slurms_words(
    tmp_path: Path, resources: dict[str, Any], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    run, plan = new_slurm_run(tmp_path, resources=resources)
    with pytest.raises(UserError, match=f"Slurm refuses: .*({words})") as caught:
        submit(run, plan)
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message
    assert "".join(capfd.readouterr()) == ""  # the caller prints it, and once
    assert Submission.load(run) is None
    assert journal.last_state(run.journal)[0] == "planned"


def test_without_a_controller_it_is_the_cluster_that_is_away(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path / "slurm.conf"
    text = Path(cluster.env["SLURM_CONF"]).read_text()
    conf.write_text(text.replace("SlurmctldPort=", "SlurmctldPort=1\n# "))
    monkeypatch.setenv("SLURM_CONF", str(conf))
    run, plan = new_slurm_run(tmp_path)
    with pytest.raises(UserError, match="the cluster cannot be reached") as caught:
        submit(run, plan)
    assert caught.value.exit_code == 3


def test_without_slurm_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    run, plan = new_slurm_run(tmp_path)
    with pytest.raises(UserError, match="there is no `sbatch` on this machine") as caught:
        submit(run, plan)
    assert "--local" in caught.value.hint


def test_slurm_is_asked_for_the_start_time(tmp_path: Path) -> None:
    _, plan = new_slurm_run(tmp_path)
    assert "to start at" in registry.get("slurm").expected_start(plan)


def test_the_script_is_one_that_sbatch_accepts(cluster: Cluster, tmp_path: Path) -> None:
    _, plan = new_slurm_run(tmp_path, resources={"gpus_per_node": 2, "nodes": 2, "mem": "100M"})
    done = subprocess.run(
        ["sbatch", "--test-only"],
        input=job_script(plan),
        env=cluster.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "using" in done.stderr
