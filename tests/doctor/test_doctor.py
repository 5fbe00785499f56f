"""`hpcdl doctor` as it is typed, on a real Slurm and without one."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from hpc_dl.cli import main
from hpc_dl.doctor import job as jobs
from hpc_dl.doctor import site_file, torch_build
from hpc_dl.doctor.finding import Result
from hpc_dl.planning import site as sites
from hpc_dl.run.layout import RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler.slurm import cluster as slurm
from hpc_dl.scheduler.slurm.client import SlurmError
from tests.doctor.clusters import cluster as alps
from tests.support.cluster import Cluster
from tests.support.typed import settings

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def root(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all runs; Slurm is the test cluster."""
    for name, value in (settings(tmp_path) | {"SLURM_CONF": cluster.env["SLURM_CONF"]}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "runs"


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of torch, which takes seconds and has a test of its own, is left out."""
    monkeypatch.setattr(torch_build, "examine", lambda gpus: Result("left out"))


def by_check(capsys: Capture) -> dict[str, dict[str, str]]:
    said = json.loads(capsys.readouterr().out)
    return {it["check"]: it for it in said["findings"]}


@pytest.mark.every_release
def test_a_cluster_is_read_whichever_release_describes_it(root: Path) -> None:
    found = slurm.read()
    assert found.name == "hpcdl"
    main_, short, *_ = found.partitions
    assert (main_.name, main_.is_default, main_.max_time) == ("main", True, "1-00:00:00")
    assert (short.name, short.max_time, short.count) == ("short", "00:02:00", 4)
    assert (main_.cpus, main_.memory, main_.gpus, main_.gpu_types) == (16, 8000, 2, [])
    assert (found.number("MaxArraySize"), found.number("KillWait")) == (1001, 5)
    accounting = slurm.read_accounting(found)
    if os.geteuid() == 0:
        assert accounting.accounts == ["root"]
        assert accounting.associations[0].qos == ("normal",)


@pytest.mark.every_release
def test_the_site_file_that_is_written_is_one(
    root: Path, tmp_path: Path, no_torch: None, capsys: Capture
) -> None:
    file = tmp_path / "new.yaml"
    assert main(["doctor", "--write-site", str(file)]) == 0
    capsys.readouterr()
    site = sites.load(str(file), {})
    assert (site.name, site.default_partition) == ("hpcdl", "main")
    assert site.partitions["short"] == sites.Partition(
        max_time="00:02:00", gpus_per_node=2, cpus_per_node=16, mem_per_node="8000M"
    )
    assert main(["init", "--site"]) == 0
    assert capsys.readouterr().out == file.read_text()
    file.write_text("name: mine\nsetup: [module load cuda]\n")
    assert main(["doctor", "--write-site", str(file)]) == 2
    assert "--force writes over it" in capsys.readouterr().err
    assert main(["doctor", "--write-site", str(file), "--force", "--site", str(file)]) == 0
    capsys.readouterr()
    assert sites.load(str(file), {}).setup == ["module load cuda"]
    assert main(["doctor", "--json", "--site", str(file)]) == 0
    found = by_check(capsys)
    assert found["site file"]["status"] == found["partitions"]["status"] == "ok"


def test_a_site_file_says_which_gpus_and_accounts_there_are(tmp_path: Path) -> None:
    text = "\n".join(site_file.lines(sites.Site(name="old"), alps(), ["biology"]))
    (tmp_path / "alps.yaml").write_text(text)
    site = sites.load(str(tmp_path / "alps.yaml"), {})
    assert site.partitions == {
        "cpu": sites.Partition(
            max_time="7-00:00:00", gpus_per_node=0, cpus_per_node=128, mem_per_node="250000M"
        )
    }
    assert "# only for the accounts vision,speech\n  #gpu: {" in text
    assert "# a job gets any of a100, v100, or those of a gpu_type named here" in text


def test_a_site_that_does_not_fit_is_a_fault_and_exit_code_1(
    root: Path, tmp_path: Path, no_torch: None, capsys: Capture
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("name: wrong\npartitions: {gpu: {}}\n")
    assert main(["doctor", "--site", str(file)]) == 1
    said = capsys.readouterr().out
    assert "the site wrong names partition 'gpu', which Slurm does not show" in said
    assert "1 fault" in said


def test_a_dead_controller_is_a_fault_and_the_rest_is_checked(
    root: Path, tmp_path: Path, no_torch: None, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    conf = tmp_path / "slurm.conf"
    conf.write_text(
        "ClusterName=gone\nSlurmctldHost=localhost\nSlurmctldPort=9\nMessageTimeout=1\n"
    )
    monkeypatch.setenv("SLURM_CONF", str(conf))
    assert main(["doctor", "--json"]) == 1
    found = by_check(capsys)
    assert (found["cluster"]["status"], found["run root"]["status"]) == ("fault", "ok")
    assert "the cluster cannot be reached" in found["cluster"]["found"]
    assert main(["doctor", "--write-site", str(tmp_path / "new.yaml")]) == 3
    assert not (tmp_path / "new.yaml").exists()


def test_a_slurm_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scontrol").write_text("#!/bin/sh\nsleep 60\n")
    (tmp_path / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(slurm, "SECONDS", 0.2)
    with pytest.raises(SlurmError, match=r"no answer within 0\.2 s"):
        slurm.read()


def test_the_job_asks_for_what_the_partition_has() -> None:
    assert jobs.resources(alps(), [], None) == ["resources.nodes=2", "resources.gpus_per_node=0"]
    words = ["resources.partition=gpu", "resources.nodes=3"]
    assert jobs.resources(alps(), words, "cpu") == [
        "resources.nodes=2",
        "resources.gpus_per_node=2",
        *words,
    ]


def test_what_is_no_resource_is_refused(root: Path, capsys: Capture) -> None:
    assert main(["doctor", "--job", "train.epochs=3"]) == 2
    assert "Only resources count" in capsys.readouterr().err
    assert main(["doctor", "resources.nodes=3"]) == 2
    assert "hpcdl doctor --job resources.nodes=3" in capsys.readouterr().err


@pytest.mark.slow
def test_the_job_looks_from_the_nodes(
    root: Path, tmp_path: Path, no_torch: None, capsys: Capture
) -> None:
    file = tmp_path / "new.yaml"
    words = ["resources.gpus_per_node=0", "resources.time=8", "resources.cpus_per_task=1"]
    assert main(["doctor", "--job", "--json", "--write-site", str(file), *words]) == 0
    said = json.loads(capsys.readouterr().out)
    first, second = said["ranks"]
    assert (first["stage"], second["stage"]) == ("done", "done")
    assert first["host"] != second["host"]
    assert (second["locks"], second["record_locks"]) == ("exclusive", "exclusive")
    assert abs(second["clock_ahead"]) < 5
    speeds = ("bandwidth", "write_speed", "read_speed", "files_per_second", "temporary_speed")
    assert all(it[speed] > 0 for it in (first, second) for speed in speeds)
    assert "gloo over" in next(
        it["found"] for it in said["findings"] if it["check"] == "all-reduce"
    )
    assert list(root.iterdir()) == []
    used = first["interface"]
    assert sites.load(str(file), {}).network_interface == (None if used == "lo" else used)


def test_ctrl_c_cancels_the_job(
    cluster: Cluster, root: Path, no_torch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[str] = []

    def interrupt(job: RunDir, submission: Submission, show: object) -> None:
        submitted.append(submission.job_id)
        monkeypatch.setattr(jobs, "time", SimpleNamespace(sleep=_interrupt))
        wait(job, submission, show)

    def _interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    wait = jobs.wait
    monkeypatch.setattr(jobs, "wait", interrupt)
    assert main(["doctor", "--job", "resources.slurm.begin=now+1hour"]) == 130
    assert cluster.run("squeue", "-h", "-t", "pending", "-j", submitted[0], "-o", "%T") == ""
    assert list(root.iterdir()) == []


def test_without_a_run_root_no_job_is_submitted(
    root: Path, no_torch: None, capsys: Capture
) -> None:
    root.write_text("a file")
    assert main(["doctor", "--job", "--json"]) == 1
    found = by_check(capsys)
    assert (found["run root"]["status"], found["job"]["status"]) == ("fault", "unknown")


@pytest.mark.slow
def test_a_job_that_ends_early_is_a_fault_that_names_its_logs(
    root: Path, tmp_path: Path, no_torch: None, capsys: Capture
) -> None:
    file = tmp_path / "early.yaml"
    file.write_text("name: early\nsetup: ['echo no module cuda >&2; exit 3']\n")
    assert main(["doctor", "--job", "--site", str(file)]) == 1
    said = capsys.readouterr()
    assert "no word of rank 0, 1, 2, 3: the job ended with" in said.out
    (folder,) = root.iterdir()
    assert f"logs are in {folder}" in said.err
    (log,) = (folder / "logs").glob("*-batch.log")
    assert "no module cuda" in log.read_text()
