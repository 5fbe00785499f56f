"""`hpcdl predict --slurm` on a real Slurm: a job with the resources of the run."""

import numpy as np
import pandas

from hpc_dl.cli import main
from tests.support import exports
from tests.support.running import new_run
from tests.support.typed import settings
from tests.support.waiting import wait_until


def test_a_table_is_predicted_by_a_job_of_one_task(cluster, tmp_path, monkeypatch, capsys):
    for name, value in (settings(tmp_path) | {"SLURM_CONF": cluster.env["SLURM_CONF"]}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HPCDL_SITE", "test-cluster")
    resources = {"nodes": 2, "tasks_per_node": 2, "cpus_per_task": 1, "time": "00:07:00"}
    run = new_run(tmp_path / "runs", resources=resources)
    exports.export(run.export, *exports.PICTURES["cnn"])
    np.save(tmp_path / "x.npy", np.zeros((1, 8, 8)))
    monkeypatch.chdir(tmp_path)
    words = ["predict", "quick", "x.npy", "-o", "out.csv", "--slurm"]
    assert main([*words, "resources.time=00:05:00"]) == 0
    said = capsys.readouterr().out
    job = said.split()[2].rstrip(":")
    shown = cluster.run("scontrol", "show", "job", job)
    assert "TimeLimit=00:05:00" in shown
    assert "JobName=predict-quick" in shown
    assert "NumTasks=1 " in shown
    log = tmp_path / f"runs/predictions/quick-1/logs/{job}-0.log"
    assert str(log) in said
    wait_until((tmp_path / "out.csv").exists, timeout=120, message=f"{log} {said}")
    assert pandas.read_csv("out.csv").columns.tolist() == ["example", "class", "probability"]
    wait_until(lambda: "1 predicted" in log.read_text())
    assert main(words) == 2
    assert "out.csv is there already" in capsys.readouterr().err
