"""`hpcdl submit --dry-run`: a few real steps, what they foretell, and that nothing is left."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from hpc_dl.cli import estimate, main
from hpc_dl.planning.plan import Plan
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir, read_json
from tests.support.own_models import own_models
from tests.support.running import new_run
from tests.support.typed import QUICK, job_file, use_settings
from tests.support.waiting import wait_until

TRAINING = "train/examples_per_second"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all runs, which is not there yet; scratch files go to `tmp_path`."""
    use_settings(monkeypatch, tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / "runs"


def left_over(tmp_path: Path) -> set[str]:
    """What there is besides the user's own files and the settings of matplotlib."""
    return {path.name for path in tmp_path.iterdir()} - {"job.yaml", "own.py", "config"}


def processes(tmp_path: Path) -> list[int]:
    """Processes that have something of this test on their command line."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if process.pid != os.getpid() and any(str(tmp_path) in word for word in words):
            found.append(process.pid)
    return found


@pytest.mark.nightly
def test_a_dry_run_trains_saves_resumes_and_exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9/nobody-there")
    words = ["train.epochs=100", "resources.tasks_per_node=2", "--local", "--dry-run", "--json"]
    assert main(["submit", job_file(tmp_path), *words]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    measured = found["rehearsal"]
    assert measured["parameters"] == 64 * 32 + 32 + 32 * 10 + 10
    assert measured["device"] == "cpu"
    assert 0 < measured["seconds_per_step"] < 10
    assert measured["peak_memory"] > 100 * 2**20
    assert measured["projected_seconds"] >= 1200 * measured["seconds_per_step"]
    low, high = measured["projected_range"]
    assert low <= measured["projected_seconds"] <= high
    for done in ("3 steps and a checkpoint", "a resume from it", "synced to a temporary store"):
        assert f"done: {done}" in said.err
    assert found["plan"]["steps"] == 1200
    assert not left_over(tmp_path)


@pytest.mark.nightly
def test_a_job_longer_than_its_time_limit_is_warned_of(tmp_path: Path, capsys: Capture) -> None:
    words = ["train.epochs=100000", "resources.time=1", "resources.max_requeues=1"]
    assert main(["submit", job_file(tmp_path), *words, "--local", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "quick-1, a new run" in said
    assert "parameters        2,410" in said
    assert "warning: does not fit into the time limit of 00:01:00" in said
    assert not left_over(tmp_path)


@pytest.mark.nightly
def test_a_failing_dry_run_shows_the_error_and_the_log(tmp_path: Path, capsys: Capture) -> None:
    own_models(tmp_path)
    text = QUICK.replace("{name: ffnn, hidden: [32]}", "{name: 'own.py:Failing'}")
    assert main(["submit", job_file(tmp_path, text), "--local", "--dry-run"]) == 1
    said = capsys.readouterr().err
    assert "the dry run failed: RuntimeError: the loss exploded (own.py:" in said
    assert "The end of its log" in said
    assert not left_over(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.nightly
def test_an_interrupted_dry_run_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    own_models(tmp_path)
    text = QUICK.replace("{name: ffnn, hidden: [32]}", "{name: 'own.py:Slow'}")
    words = ["submit", job_file(tmp_path, text), "--local", "--dry-run"]
    typed = subprocess.Popen([sys.executable, "-m", "hpc_dl", *words], stdout=subprocess.DEVNULL)
    wait_until(lambda: list(tmp_path.glob("hpcdl-dry-run-*/quick-1/submission.json")), 120)
    typed.send_signal(number)
    assert typed.wait(60) == 130
    assert not left_over(tmp_path)
    wait_until(lambda: not processes(tmp_path), message="processes are left")


def test_the_estimate_measures_steps_evaluations_and_pictures_apart_without_their_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tmp_path / "runs", train={"epochs": 10, "log_every": 1})
    plan = planned(run)
    clock = [1000.0]
    monkeypatch.setattr("hpc_dl.run.journal.time.time", lambda: clock[0])
    own = Journal(run.journal)

    def note(after: float, event: str, **fields: Any) -> None:
        clock[0] += after
        own.append(event, **fields)

    note(5, "started", attempt="a", step=0, cut=0, device="cpu", world_size=1, environment={})
    note(0, "state", state="running", reason="")
    for step, pace in {1: 12.8, 2: 128.0, 3: 64.0}.items():
        note(128 / pace, "metrics", step=step, epoch=step - 1, values={TRAINING: pace})
        note(8 / 2**step, "metrics", step=step, epoch=step - 1, values={"val/loss": 1.0})
        if step != 3:
            note(2 / step, "artifact", step=step, path="artifacts/a.png", caption="")
    note(0, "state", state="running", reason="trained, and being tested")
    note(1, "summary", parameters=7, seconds=1, seconds_per_step=1, peak_memory=9, values={})
    note(2, "state", state="completed", reason="")
    found = estimate.measure(run, plan, plan, begun=1000.0)
    assert found.seconds_per_step == pytest.approx(1.5)
    assert found.seconds_per_evaluation == pytest.approx(1.5)
    assert found.seconds_per_drawing == pytest.approx(1.0)
    total = 5 + (10 + 1 + 2) + (4 + 2 + 1) + (2 + 1) + (1 + 2)
    once = total - 3 * 1.5 - 3 * 1.5 - 2 * 1.0
    assert found.seconds_of_start_and_end == pytest.approx(once)
    drawings = 4  # after epochs 1, 2, 4 and 8
    projected = once + plan.steps * 1.5 + 10 * 1.5 + drawings * 1.0
    assert found.projected_seconds == pytest.approx(projected)
    low, high = found.projected_range
    assert (low, high) == pytest.approx((projected - plan.steps / 2, projected + plan.steps / 2))
    assert (found.parameters, found.peak_memory) == (7, 9)
    assert found.warning == ""


def planned(run: RunDir) -> Plan:
    return Plan.from_json(read_json(run.plan))


@pytest.mark.parametrize(
    ("seconds", "requeues", "words"),
    [
        (59.0, 0, ""),
        (61.0, 0, "does not fit into the time limit of 00:01:00"),
        (61.0, 1, "about 2 jobs, one after the other"),
        (500.0, 8, "about 9 jobs, one after the other"),
        (500.0, 7, "does not fit"),
    ],
)
def test_the_warning_about_the_time_limit(
    tmp_path: Path, seconds: float, requeues: int, words: str
) -> None:
    run = new_run(tmp_path / "runs", resources={"time": "1", "max_requeues": requeues})
    said = estimate.warning(seconds, planned(run))
    assert said == "" if not words else words in said
