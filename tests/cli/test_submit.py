"""`hpcdl submit` and `hpcdl resume` on this machine, from the command line to the end."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hpc_dl.cli import main
from hpc_dl.run import journal, layout
from hpc_dl.run.layout import RunDir
from tests.support import ranks
from tests.support.empty_store import put
from tests.support.own_models import line_of, own_models
from tests.support.running import events, final_state, kill_at, new_run, start, wait_for_end
from tests.support.typed import QUICK, hpcdl, job_file, use_settings
from tests.support.waiting import wait_until

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all runs, which is not there yet."""
    use_settings(monkeypatch, tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "runs"


def own_job(tmp_path: Path, model: str) -> str:
    """A job spec with one of the tests' own models beside it."""
    own_models(tmp_path)
    return job_file(
        tmp_path, QUICK.replace("{name: ffnn, hidden: [32]}", f"{{name: 'own.py:{model}'}}")
    )


def test_a_run_is_trained_and_its_summary_printed(tmp_path: Path, root: Path) -> None:
    file = job_file(tmp_path)
    done = hpcdl("submit", file, "--local")
    assert done.returncode == 0, done.stderr
    for words in (
        "quick-1: local job ",
        ", a new run",
        "epoch 1/2  step 12/24",
        "epoch 2/2  step 24/24",
        "val/loss",
        "quick-1: completed",
        f"run folder {root / 'quick-1'}",
        "hpcdl dashboard",
    ):
        assert words in done.stdout
    values = {
        key: value
        for event in events(RunDir(root / "quick-1"), "metrics")
        for key, value in event["values"].items()
    }
    accuracy = next(line for line in done.stdout.splitlines() if line.startswith("accuracy"))
    assert accuracy.split()[-1] == f"{values['test/accuracy']:.5g}"
    assert accuracy.split()[1] == f"{values['val/accuracy']:.5g}"


@pytest.mark.nightly
def test_a_completed_run_is_shown_and_not_trained_again(
    tmp_path: Path, root: Path, capsys: Capture
) -> None:
    put(root)
    file = job_file(tmp_path)
    assert main(["submit", file, "--local", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["run"], first["state"], first["step"]) == ("quick-1", "completed", 24)
    assert main(["submit", file, "--local", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert main(["submit", file, "--local"]) == 0
    assert "quick-1 has trained this already; `hpcdl submit --new`" in capsys.readouterr().out
    assert main(["resume", "quick", "--local"]) == 0
    assert "quick-1 has trained this already" in capsys.readouterr().out
    assert main(["submit", file, "--local", "--new", "--json"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["run"] == "quick-2"
    assert second["values"]["test/loss"] == first["values"]["test/loss"]


@pytest.mark.nightly
def test_a_killed_run_is_resumed_and_ends_with_the_same_weights(
    tmp_path: Path, root: Path, capsys: Capture
) -> None:
    sections: dict[str, Any] = {
        "train": {"epochs": 40, "log_every": 1},
        "checkpoint": {"every": "3 steps"},
    }
    run = new_run(root, **sections)
    kill_at(run, step=40)
    words = ["train.epochs=40", "checkpoint.every=3 steps", "--local", "--json"]
    assert main(["submit", job_file(tmp_path), *words]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["run"] == run.id
    begins = events(run, "started", since_start=False)[-1]["step"]
    assert begins >= 36
    assert f"resumes from step {begins}" in said.err
    assert final_state(run) == final_state(ranks.train(new_run(root, **sections)))


@pytest.mark.nightly
def test_an_active_run_is_not_submitted_again(tmp_path: Path, root: Path, capsys: Capture) -> None:
    file = own_job(tmp_path, "Slow")
    run = new_run(root, tmp_path, model={"name": "own.py:Slow"})
    start(run)
    for command in (["submit", file, "--local"], ["resume", run.id, "--local"]):
        assert main(command) == 2
        said = capsys.readouterr().err
        assert "quick-1 is training this already" in said
        assert "hpcdl logs quick-1 -f" in said
        assert "hpcdl cancel quick-1" in said
    assert main(["submit", file, "--local", "--follow"]) == 0
    assert "quick-1: completed" in capsys.readouterr().out
    assert [it.id for it in layout.list_runs(root)] == ["quick-1"]


def test_a_failure_is_shown_with_its_reason_and_the_log(tmp_path: Path, root: Path) -> None:
    done = hpcdl("submit", own_job(tmp_path, "Failing"), "--local")
    assert done.returncode == 1
    reason = f"RuntimeError: the loss exploded (own.py:{line_of('exploded')})"
    assert f"quick-1: failed  {reason}" in done.stdout
    assert "  | " in done.stdout
    assert done.stderr == ""


@pytest.mark.nightly
def test_ctrl_c_leaves_the_run_running_and_prints_the_next_commands(
    tmp_path: Path, root: Path
) -> None:
    put(root)
    command = [sys.executable, "-m", "hpc_dl", "submit", own_job(tmp_path, "Slow"), "--local"]
    typed = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    run = RunDir(root / "quick-1")
    wait_until(lambda: run.journal.exists() and events(run, "metrics"), timeout=120)
    typed.send_signal(signal.SIGINT)
    out, err = typed.communicate(timeout=60)
    assert typed.returncode == 130
    assert err == ""
    assert "quick-1 continues to run" in out
    assert "hpcdl cancel quick-1" in out
    assert wait_for_end(run)[0] == "completed"


@pytest.mark.nightly
def test_a_cancelled_run_is_resumed_with_other_resources(
    tmp_path: Path, root: Path, capsys: Capture
) -> None:
    run = new_run(root, train={"epochs": 30, "log_every": 1})
    start(run)
    wait_until(lambda: events(run, "metrics"), timeout=120)
    assert main(["cancel", "quick"]) == 0
    assert wait_for_end(run)[0] == "cancelled"
    (tmp_path / "elsewhere").mkdir()
    os.chdir(tmp_path / "elsewhere")
    words = ["resources.tasks_per_node=2", "resources.time=02:00:00", "--local", "--json"]
    assert main(["resume", "quick", *words]) == 0
    assert json.loads(capsys.readouterr().out.partition("\n")[2])["state"] == "completed"
    last = events(run, "started")[-1]
    assert last["world_size"] == 2
    assert last["step"] > 0
    assert not run.cancel.exists()


@pytest.mark.slow
def test_of_two_commands_at_once_one_resumes_the_run(
    tmp_path: Path, root: Path, capsys: Capture
) -> None:
    run = new_run(root)
    folder = os.open(run.path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    put(root)
    for command in (["submit", job_file(tmp_path), "--local"], ["resume", "quick", "--local"]):
        assert main(command) == 2
        assert "quick-1 is being submitted by another command" in capsys.readouterr().err
    os.close(folder)
    assert main(["resume", "quick", "--local"]) == 0


def test_resume_refuses_to_make_it_another_training(root: Path, capsys: Capture) -> None:
    new_run(root)
    assert main(["resume", "quick", "train.epochs=4"]) == 2
    said = capsys.readouterr().err
    assert "`train.epochs=4` would make it another training" in said
    assert "resources, tracking, checkpoint" in said


def test_a_failed_preparation_leaves_no_folder(tmp_path: Path, root: Path, capsys: Capture) -> None:
    (tmp_path / "own.py").write_text("class Net:\n    def (\n")
    file = job_file(tmp_path, QUICK.replace("{name: ffnn, hidden: [32]}", "{name: 'own.py:Net'}"))
    assert main(["submit", file, "--local"]) == 2
    assert "own.py:2" in capsys.readouterr().err
    assert not root.exists()


@pytest.mark.nightly
def test_a_refused_submission_is_a_failed_run(
    tmp_path: Path, root: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sbatch").write_text("#!/bin/sh\necho sbatch: error: no such account >&2\nexit 1\n")
    (programs / "sbatch").chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    put(root)
    assert main(["submit", job_file(tmp_path)]) == 2
    assert "no such account" in capsys.readouterr().err
    state, reason = journal.last_state(RunDir(root / "quick-1").journal)
    assert state == "failed"
    assert "no such account" in reason
    assert main(["submit", job_file(tmp_path), "--local", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run"] == "quick-1"
