"""On a real Slurm: whatever ends an attempt, the run goes on by itself, to the same bits."""

import signal
from pathlib import Path
from typing import Any

import pytest

from hpc_dl.planning.plan import Plan
from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir, read_json, write_json
from hpc_dl.scheduler.submit import submit
from hpc_dl.status import read_status
from tests.support import ranks
from tests.support.cluster import Cluster
from tests.support.own_models import own_models
from tests.support.running import final_state, history
from tests.support.slurm_runs import job_of, new_slurm_run, rank_processes, wait_for
from tests.support.waiting import wait_until

TRAIN = {"epochs": 12, "log_every": 4, "micro_batch": 50}
SAVED = 40  # steps
"""At this step the trouble comes; 144 steps take about four seconds."""


@pytest.fixture(autouse=True)
def on_the_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", cluster.env["SLURM_CONF"])


def job(root: Path, pace: float = 0.02, **resources: Any) -> tuple[RunDir, Plan]:
    base = own_models(root / "base")
    asked = {"tasks_per_node": 1, "cpus_per_task": 1, **resources}
    return new_slurm_run(
        root / "runs",
        base,
        model={"name": "own.py:Slow", "pace": pace},
        train=TRAIN,
        checkpoint={"every": "10 steps"},
        resources=asked,
    )


def submitted(root: Path, **resources: Any) -> RunDir:
    """A run that has come so far that there are checkpoints to go on from."""
    run, plan = job(root, **resources)
    submit(run, plan)
    ranks.wait_for_step(run, SAVED)
    return run


def goes_on(cluster: Cluster, run: RunDir, root: Path) -> None:
    """Let it start again, wait for the end, and compare it with a run that nobody disturbed."""
    cluster.haste(job_of(run))
    ends_as_undisturbed(run, root)


def ends_as_undisturbed(run: RunDir, root: Path) -> None:
    wait_for(run, "completed", seconds=150)
    size = Plan.from_json(read_json(run.plan)).world_size
    undisturbed, _ = job(root / "calm", pace=0, tasks_per_node=size)
    ranks.train(undisturbed)
    steps = [event["step"] for event in starts(run)]
    assert len(steps) > 1
    assert all(step > 0 for step in steps[1:]), "it went on from a checkpoint"
    assert final_state(run) == final_state(undisturbed)
    assert history(run) == history(undisturbed)


def why(run: RunDir) -> list[str]:
    """The reasons that were journalled for starting again."""
    states = [entry.event for entry in journal.read(run.journal, kinds=("state",))]
    return [event["reason"] for event in states if event["state"] == "requeued"]


@pytest.mark.nightly
def test_kill_9_of_one_of_two_ranks(cluster: Cluster, tmp_path: Path) -> None:
    run = submitted(tmp_path, tasks_per_node=2)
    rank_processes(run)[1].send_signal(signal.SIGKILL)
    goes_on(cluster, run, tmp_path)
    assert any(
        "ended without an error message" in reason or "killed" in reason for reason in why(run)
    )


@pytest.mark.nightly
def test_kill_9_of_the_only_rank(cluster: Cluster, tmp_path: Path) -> None:
    run = submitted(tmp_path, max_requeues=1)
    rank_processes(run)[0].send_signal(signal.SIGKILL)
    goes_on(cluster, run, tmp_path)
    assert why(run) == ["a rank was killed (signal 9)"]


@pytest.mark.nightly
def test_sigterm_of_a_rank(cluster: Cluster, tmp_path: Path) -> None:
    run = submitted(tmp_path)
    rank_processes(run)[0].send_signal(signal.SIGTERM)
    goes_on(cluster, run, tmp_path)
    assert why(run) == ["terminated by a signal"]


@pytest.mark.nightly
def test_the_time_limits_signal_to_one_of_four_ranks_on_two_nodes(
    cluster: Cluster, tmp_path: Path
) -> None:
    run = submitted(tmp_path, nodes=2, tasks_per_node=2, max_requeues=1)
    rank_processes(run)[3].send_signal(signal.SIGUSR2)
    goes_on(cluster, run, tmp_path)
    assert why(run) == ["wall-clock limit"]


@pytest.mark.nightly
def test_scontrol_requeue(cluster: Cluster, tmp_path: Path) -> None:
    run = submitted(tmp_path, max_requeues=1)
    assert " Requeue=1 " in cluster.run("scontrol", "--oneliner", "show", "job", job_of(run))
    cluster.run("scontrol", "requeue", job_of(run))
    goes_on(cluster, run, tmp_path)
    assert " Requeue=0 " in cluster.run("scontrol", "--oneliner", "show", "job", job_of(run))


def test_a_node_loses_its_power(
    cluster: Cluster, fragile_nodes: tuple[str, ...], tmp_path: Path
) -> None:
    run = submitted(tmp_path, partition="fragile")
    cluster.kill_node(read_status(run).where)
    goes_on(cluster, run, tmp_path)


@pytest.mark.nightly
def test_an_administrator_takes_a_node_down(
    cluster: Cluster, fragile_nodes: tuple[str, ...], tmp_path: Path
) -> None:
    run = submitted(tmp_path, partition="fragile")
    node = read_status(run).where
    cluster.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    goes_on(cluster, run, tmp_path)


@pytest.mark.parametrize("told", [True, False], ids=["with its signal", "with TERM alone"])
@pytest.mark.nightly
def test_pre_emption(
    another: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    monkeypatch.setenv("PREEMPT_SIGNAL", "1" if told else "0")
    assert another.script("start").returncode == 0
    monkeypatch.setenv("SLURM_CONF", another.env["SLURM_CONF"])
    run = submitted(tmp_path, nodes=2, partition="low", slurm={"exclusive": True})
    high = ("srun", "--partition=high", "--nodes=2", "--exclusive", "true")
    another.run(*high, timeout=90)
    goes_on(another, run, tmp_path)
    assert "pre-empted" in why(run)[-1]


@pytest.mark.nightly
def test_a_rank_hangs(cluster: Cluster, tmp_path: Path) -> None:
    run, plan = new_slurm_run(
        tmp_path / "runs",
        own_models(tmp_path / "base"),
        model={"name": "own.py:Hanging", "rank": 1, "at": 20},
        train={"epochs": 5, "hang_timeout": "0:08"},
        checkpoint={"every": "5 steps"},
        resources={"tasks_per_node": 2, "cpus_per_task": 1},
    )
    submit(run, plan)
    wait_for(run, "requeued")
    cluster.haste(job_of(run))
    wait_for(run, "completed", seconds=150)
    assert "no progress for" in why(run)[0]
    assert "(rank 1 on n" in why(run)[0]
    assert starts(run)[1]["step"] > 0
    for rank in (0, 1):
        assert "most recent call first" in (run.logs / f"{job_of(run)}-{rank}.log").read_text()


@pytest.mark.nightly
def test_the_time_limit(cluster: Cluster, tmp_path: Path) -> None:
    """One minute, of which Slurm may announce the end at any moment, for a run of more."""
    run, plan = job(tmp_path, pace=0.12, time="1", partition="short")
    submit(run, plan)
    wait_for(run, "requeued", seconds=90)
    cluster.run("scontrol", "update", f"jobid={job_of(run)}", "TimeLimit=10")
    goes_on(cluster, run, tmp_path)


@pytest.mark.nightly
def test_where_requeues_are_forbidden_another_job_follows(cluster: Cluster, tmp_path: Path) -> None:
    run, plan = job(tmp_path)
    sbatch = {name: value for name, value in plan.sbatch.items() if name != "requeue"}
    plan = Plan.from_json(
        {**plan.to_json(), "sbatch": {**sbatch, "no-requeue": True}, "follow_up": True}
    )
    write_json(run.plan, plan.to_json())
    first = submit(run, plan).job_id
    ranks.wait_for_step(run, SAVED)
    rank_processes(run)[0].send_signal(signal.SIGUSR2)
    ends_as_undisturbed(run, tmp_path)
    assert job_of(run) != first
    assert why(run)[-1] == "wall-clock limit"


# ---- but not for ever


@pytest.mark.nightly
def test_a_run_that_makes_no_progress_is_not_started_for_ever(
    cluster: Cluster, tmp_path: Path
) -> None:
    run, plan = job(tmp_path)
    submit(run, plan)
    wait_until(lambda: len(starts(run)) == 1, 60, message="no start")
    rank_processes(run)[0].send_signal(signal.SIGKILL)
    cluster.haste(job_of(run))
    wait_until(lambda: len(starts(run)) == 2, 60, message="no start")
    rank_processes(run)[0].send_signal(signal.SIGKILL)
    wait_until(lambda: read_status(run).state == "failed", 60, message="it goes on and on")
    assert "no progress between two requeues" in read_status(run).reason


def starts(run: RunDir) -> list[dict[str, Any]]:
    return [entry.event for entry in journal.read(run.journal, kinds=("started",))]
