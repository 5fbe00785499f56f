"""The project's private Slurm does what the tests of hpcdl count on."""

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.waiting import wait_until

RANKS = """#!/bin/bash
srun bash -c 'echo $SLURM_PROCID $(hostname) $CUDA_VISIBLE_DEVICES $(getent ahostsv4 $(hostname))'
"""

KILLED_ONCE = """#!/bin/bash
echo "$SLURM_JOB_NODELIST"
[ -n "$SLURM_RESTART_COUNT" ] || sleep 300
"""

LINGERS = """#!/bin/bash
trap 'sleep 3; exit' TERM
echo started
[ -n "$SLURM_RESTART_COUNT" ] || { sleep 300 & wait; }
"""

REQUEUES_ITSELF_WHEN_TOLD = """#!/bin/bash
trap 'echo told; scontrol requeue $SLURM_JOB_ID' USR2
echo "started"
while [ -z "$SLURM_RESTART_COUNT" ]; do sleep 0.1; done
"""


def submit(cluster: Cluster, folder: Path, script: str, *options: str) -> tuple[str, Path]:
    """The job's id and the file that gets its output, of all its starts."""
    file = folder / "job.sh"
    file.write_text(script)
    output = folder / "output"
    always = ("--parsable", "--open-mode=append", f"--output={output}", f"--chdir={folder}")
    return cluster.run("sbatch", *always, *options, str(file)), output


def wait_for_state(cluster: Cluster, job: str, state: str, timeout: float = 60) -> None:
    """Until sacct gives the job this state."""
    wait_until(
        lambda: state in cluster.run("sacct", "-nXP", "-j", job, "-o", "State"),
        timeout,
        message=f"job {job} did not become {state}",
    )


@pytest.mark.every_release
def test_ranks_have_names_that_resolve_and_gpus_of_their_own(
    cluster: Cluster, tmp_path: Path
) -> None:
    options = ("--nodes=2", "--ntasks-per-node=2", "--gpus-per-task=1")
    job, output = submit(cluster, tmp_path, RANKS, *options)
    wait_for_state(cluster, job, "COMPLETED")
    ranks = [line.split() for line in output.read_text().splitlines()]
    assert sorted(rank for rank, *_ in ranks) == ["0", "1", "2", "3"]
    assert list(Counter(host for _, host, *_ in ranks).values()) == [2, 2]
    assert len({(host, gpu) for _, host, gpu, *_ in ranks}) == 4
    assert {gpu for _, _, gpu, *_ in ranks} == {"0", "1"}
    assert {address for _, _, _, address, *_ in ranks} == {"127.0.0.1"}


@pytest.mark.every_release
def test_commands_and_daemons_are_of_the_release_that_was_asked_for(cluster: Cluster) -> None:
    version = cluster.run("sbatch", "--version").removeprefix("slurm-wlm ")
    config = cluster.run("scontrol", "show", "config").split()
    assert config[config.index("SLURM_VERSION") + 2] == version
    assert cluster.release == os.environ.get("HPCDL_CLUSTER_RELEASE", cluster.release)
    assert version.startswith({"bookworm": "22.05.", "trixie": "24.11."}.get(cluster.release, ""))
    without_path = ("srun", "--export=NONE", "/usr/bin/sbatch", "--version")
    assert cluster.run(*without_path) == f"slurm-wlm {version}"


def test_a_release_that_is_not_there_is_asked_to_be_installed(cluster: Cluster) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can start a cluster")
    nowhere = Cluster(cluster.folder.with_name("hpcdl-slurm-nowhere"))
    refused = nowhere.script("start", "--release", "nosuch")
    assert refused.returncode == 3
    assert "slurm/cluster install --release nosuch" in refused.stderr
    refused = cluster.script("start", "--release", "nosuch")
    assert refused.returncode != 0


@pytest.mark.every_release
def test_any_user_may_submit(cluster: Cluster) -> None:
    become = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    assert cluster.run(*become, "srun", "--chdir=/", "id", "--name", "--user") == "nobody"


@pytest.mark.every_release
def test_a_job_survives_its_node(
    cluster: Cluster, fragile_nodes: tuple[str, ...], tmp_path: Path
) -> None:
    job, output = submit(cluster, tmp_path, KILLED_ONCE, "--partition=fragile")
    first = wait_until(lambda: output.exists() and output.read_text().strip(), message="no start")
    assert first in fragile_nodes
    cluster.kill_node(first)
    cluster.haste(job)
    wait_for_state(cluster, job, "COMPLETED")
    (second,) = set(fragile_nodes) - {first}
    assert output.read_text().split() == [first, second]
    attempts = cluster.run("sacct", "-nXPD", "-j", job, "-o", "State").split()
    assert attempts == ["NODE_FAIL", "COMPLETED"]
    cluster.start_node(first)
    assert cluster.run("sinfo", "-hNn", first, "-o", "%T") in ("idle", "mixed")


def test_high_takes_from_low_and_gives_back(
    cluster: Cluster, preemption_nodes: tuple[str, ...], tmp_path: Path
) -> None:
    whole = ("--exclusive", f"--nodes={len(preemption_nodes)}")
    options = (*whole, "--partition=low", "--signal=B:USR2@10", "--time=5")
    job, output = submit(cluster, tmp_path, REQUEUES_ITSELF_WHEN_TOLD, *options)
    wait_until(lambda: output.exists() and "started" in output.read_text(), message="no start")
    assert cluster.run("srun", "--partition=high", "echo", "high ran", timeout=60) == "high ran"
    cluster.haste(job)
    wait_for_state(cluster, job, "COMPLETED")
    said = [line for line in output.read_text().splitlines() if line in {"started", "told"}]
    assert said == ["started", "told", "started"]


@pytest.mark.every_release
def test_haste_waits_for_the_end_of_the_earlier_attempt(
    cluster: Cluster, fragile_nodes: tuple[str, ...], tmp_path: Path
) -> None:
    """Slurm drains a node that is sent a job which it has not yet ended: "Duplicate jobid"."""
    node = fragile_nodes[0]
    job, output = submit(cluster, tmp_path, LINGERS, f"--nodelist={node}", "--partition=fragile")
    wait_until(lambda: output.exists() and "started" in output.read_text(), message="no start")
    cluster.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    cluster.haste(job)
    wait_for_state(cluster, job, "COMPLETED")
    assert output.read_text().split().count("started") == 2
    assert "drain" not in cluster.run("sinfo", "-hNn", node, "-o", "%T")


@pytest.mark.every_release
def test_haste_refuses_a_finished_job(cluster: Cluster, tmp_path: Path) -> None:
    job, _ = submit(cluster, tmp_path, "#!/bin/bash\n")
    wait_for_state(cluster, job, "COMPLETED")
    refused = cluster.script("haste", job)
    assert refused.returncode == 1
    assert "will not come back: its state is COMPLETED" in refused.stderr


def processes_of(cluster: Cluster) -> list[str]:
    """Command lines in which the cluster's folder stands."""
    listed = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            listed.append(file.read_text().replace("\0", " "))
        except OSError:  # it has ended meanwhile
            continue
    return [line for line in listed if str(cluster.folder) in line]


def test_a_second_cluster_comes_and_goes_without_a_trace(
    another: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hosts = Path("/etc/hosts").read_text()
    monkeypatch.setenv("PREEMPT_SIGNAL", "0")
    assert another.script("start").returncode == 0
    assert "already up" in another.script("start").stderr
    assert "preempt_send_user_signal" not in another.run("scontrol", "show", "config")
    assert submit(another, tmp_path, "#!/bin/bash\nsleep 300\n")[0] == "1"
    wait_for_state(another, "1", "RUNNING")
    assert processes_of(another)
    assert another.script("stop", "--keep").returncode == 0
    assert processes_of(another) == []
    assert (another.folder / "log" / "slurmctld.log").stat().st_size > 0
    assert another.script("stop").returncode == 0
    assert not another.folder.exists()
    assert Path("/etc/hosts").read_text() == hosts


def test_a_folder_with_something_in_it_is_left_alone(cluster: Cluster, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can start a cluster")
    precious = tmp_path / "precious"
    precious.write_text("mine")
    here = Cluster(tmp_path)
    assert "holds something else" in here.script("start").stderr
    assert "There is no cluster" in here.script("stop").stderr
    assert precious.read_text() == "mine"
