"""The report on a run: in its log, as a file, by `hpcdl report`, and in MLflow."""

import json
import statistics
from pathlib import Path

import pytest

from hpc_dl.cli import main
from hpc_dl.run.journal import Journal
from hpc_dl.status.run_files import RunFiles
from hpc_dl.tracking.sync import sync_run
from hpc_dl.usage import report
from hpc_dl.usage.flop_rate import MFU, RATE, readable
from tests.support import ranks
from tests.support.running import events, new_run
from tests.support.slurm_runs import new_slurm_run
from tests.support.stores import mlflow_run, run_for

GIB = 2**30


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HPCDL_RUN_ROOT", str(tmp_path))
    return tmp_path


def test_two_ranks_that_were_killed_and_resumed_are_reported_together(root, uri, capsys):
    run = run_for(uri, root, resources={"tasks_per_node": 2, "cpus_per_task": 1})
    ranks.kill_at(run, 5)
    with ranks.ended(ranks.start_job(run)) as processes:
        for process in processes:
            process.join(120)
    found = report.read(run)
    assert (found.state, found.attempts) == ("completed", 2)
    used = found.used
    assert used.rank_seconds > 1.5 * used.seconds
    assert used.cpu_seconds > 2  # torch's import alone
    assert used.memory > 2**28
    assert sum(used.phases.values()) < used.seconds
    assert all(used.share(phase) > 0 for phase in ("start", "evaluation", "checkpoint", "training"))
    assert run.report.read_text().startswith("# quick-1: completed\n")
    (log,) = [
        path.read_text() for path in run.logs.glob("*-0.log") if "cores of" in path.read_text()
    ]
    assert "in 2 attempts" in log
    assert main(["report", "quick"]) == 0
    printed = capsys.readouterr().out
    assert [row.used in printed and row.name in printed for row in found.rows()] == [True] * 6
    assert "too short to know" in printed
    assert main(["report", "quick", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["used"]["cpu_seconds"] == used.cpu_seconds
    of_example = 6 * 32 * (64 + 10) - 2 * 64 * 32  # the first layer's input needs no gradient
    rates = [event["values"] for event in events(run, "metrics") if RATE in event["values"]]
    assert all(
        it[RATE] == pytest.approx(of_example * it["train/examples_per_second"]) for it in rates
    )
    assert found.flops_per_second == statistics.median(it[RATE] for it in rates)
    assert f"{readable(found.flops_per_second)}FLOP/s" in printed
    assert "no MFU is reported of a CPU" in log
    sync_run(run)
    there = mlflow_run(run, uri)
    assert there.data.metrics[RATE] == rates[-1][RATE]
    assert there.data.metrics["usage_hours"] == pytest.approx(used.seconds / 3600)
    assert there.data.metrics["usage_attempts"] == 2
    assert "report.md" in artifacts(run, uri)


def artifacts(run, uri):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    return [it.path for it in client.list_artifacts(mlflow_run(run, uri).info.run_id)]


def journalled(run, state, idle_gpus="", **fields):
    """Journal the usage of a run of three hours, and its state."""
    log = Journal(run.journal)
    log.append("state", state="running", reason="1 rank")
    used = {"seconds": 10800.0, "rank_seconds": 10800.0, "cpu_seconds": 20520.0, "cores": 2.3}
    known = {**used, "memory": 6 * GIB, "job_memory": 8 * GIB, **fields}
    log.append("usage", attempt="7.0", idle_gpus=idle_gpus, **known)
    if state != "running":
        log.append("state", state=state, reason="")
    log.close()


def test_the_report_on_a_job_says_what_was_asked_for_and_advises(root, capsys):
    run, _ = new_slurm_run(root, resources={"mem": "32G", "time": "1-00:00:00", "cpus_per_task": 8})
    gpu = {"gpu_utilization": 41.0, "gpu_memory": 12 * GIB, "gpu_total_memory": 80 * GIB}
    energy = {"gpu_joules": 3.6e6, "node_joules": 7.2e6}
    journalled(run, "completed", gpu_seconds=10800.0, **gpu, **energy)
    log = Journal(run.journal)
    for share in (10.0, 40.0, 41.5):
        log.append("metrics", step=1, values={RATE: share * 1e13, MFU: share})
    log.close()
    assert main(["report", run.id]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for part in (
        "time 1-00:00:00 03:00:00",
        "cores of a rank 8 1.9 on average, 2.3 at most",
        "memory of a node 32G 6G at most, 8G with cached files",
        "GPUs 0 busy for 41 % of the time",
        "memory of a GPU 80G 12G at most",
        "model FLOP/s 400 TFLOP/s, 40 % of the GPUs' peak (MFU)",
        "1 kWh of the GPUs, 2 kWh of the nodes' processors, other jobs on them included",
        "advice: ask for less, with resources: {mem: 10G, time: 04:00:00, cpus_per_task: 3};",
    ):
        assert part in printed
    assert main(["report", run.id, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["asked"]["memory"] == 32 * GIB
    assert (found["flops_per_second"], found["mfu_percentage"]) == (4e14, 40)
    assert "{mem: 10G, time: 04:00:00, cpus_per_task: 3}" in found["advice"][0]


def test_of_a_job_that_still_runs_the_report_gives_no_advice_on_resources(root, capsys):
    run, _ = new_slurm_run(root, resources={"mem": "32G", "time": "1-00:00:00"})
    journalled(run, "running")
    assert main(["report", run.id]) == 0
    assert "none on resources before it is completed" in capsys.readouterr().out


def test_a_run_that_measured_nothing_says_so(root, capsys):
    run = new_run(root)
    assert main(["report", run.id]) == 1
    assert f"nothing is known of what {run.id} used" in capsys.readouterr().err


def test_advice_is_a_tag_in_mlflow(root, uri):
    run = run_for(uri, root)
    log = Journal(run.journal)
    advice = ["ask for less", "save less often"]
    log.append("report", step=5, values={"usage/hours": 1.5}, path="report.md", advice=advice)
    log.close()
    sync_run(run)
    there = mlflow_run(run, uri).data
    assert there.tags["hpcdl.advice"] == "ask for less\nsave less often"
    assert there.metrics["usage_hours"] == 1.5


def test_status_shows_gpus_that_idle_until_they_work_again(root):
    run = new_run(root)
    why = "the GPU of rank 0 on n1 has idled for 12 min: waiting for data"
    journalled(run, "running", idle_gpus=why)
    assert RunFiles.read(run).stall == why
    journalled(run, "running")
    assert RunFiles.read(run).stall == ""
    assert len(events(run, "usage")) == 2
