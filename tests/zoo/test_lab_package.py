"""An installed package adds an architecture, a source and a task by entry points."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_dl.errors import UserError
from hpc_dl.predictor import load
from tests.support import empty_store, lab_package
from tests.support.typed import hpcdl, job_file, use_settings

JOB = """\
name: lab
model: {name: lab_net, width: 4}
data: {name: lab_cells, path: cells.txt}
train: {steps: 2}
resources: {cpus_per_task: 1}
"""
PREDICT = "import sys, numpy; from hpc_dl.predictor import load; \
print(*load(sys.argv[1]).predict(numpy.zeros((2, 1, 8, 8)))['class'])"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A folder on the path of every new process, in which the package is installed."""
    folder = lab_package.install(tmp_path / "site")
    path = [str(folder), str(Path(__file__).parents[2])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    use_settings(monkeypatch, tmp_path)
    (tmp_path / "cells.txt").write_text("60")
    return tmp_path


def test_an_architecture_of_a_package_is_listed_and_its_options_are_checked(lab):
    assert "A network of our laboratory" in hpcdl("models").stdout
    wrong = hpcdl("submit", job_file(lab, JOB.replace("width", "witdh")), "--local")
    assert wrong.returncode == 2
    assert "job.yaml:2:24: unknown key 'witdh' in model; did you mean 'width'?" in wrong.stderr


def test_a_source_of_a_package_is_listed_and_its_options_are_checked(lab):
    rows = {row["name"]: row for row in json.loads(hpcdl("data", "list", "--json").stdout)}
    assert rows["lab_cells"]["about"] == "Pictures of our laboratory's microscope."
    assert rows["lab_cells"]["where"] == "data.path of the spec"
    wrong = hpcdl("submit", job_file(lab, JOB.replace("path:", "paht:")), "--local")
    assert wrong.returncode == 2
    assert "job.yaml:3:25: unknown key 'paht' in data; did you mean 'path'?" in wrong.stderr


@pytest.mark.nightly
def test_an_architecture_of_a_package_learns_its_task_from_its_source_and_predicts(lab):
    empty_store.put(lab / "runs")
    done = hpcdl("submit", job_file(lab, JOB), "--local")
    assert done.returncode == 0, done.stderr
    run = lab / "runs/lab-1"
    assert "val/distance" in done.stdout
    label = json.loads((run / "plan.json").read_text())["facts"]["targets"]["label"]
    assert label["vocabulary"] == ["alive", "dead"]
    assert list(json.loads((run / "fingerprint.json").read_text())["parts"]) == ["data.path"]
    export = str(run / "export")
    with pytest.raises(UserError, match="no architecture 'lab_net' here"):
        load(export)  # by this process, for which the package is not installed
    there = subprocess.run(
        [sys.executable, "-c", PREDICT, export], capture_output=True, text=True, check=True
    )
    assert len(there.stdout.split()) == 2
