"""What a user sees of a run while it trains, on a terminal and in a log file."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hpc_dl.cli import live, summary
from hpc_dl.planning.plan import Plan
from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir, read_json
from hpc_dl.run.monitor import RunMonitor
from hpc_dl.status import read_status
from tests.support.running import new_run


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run that has trained two of three epochs twelve steps each, and then to the end."""
    made = new_run(tmp_path / "runs", train={"epochs": 3})
    own = Journal(made.journal)
    own.append("started", attempt="1.0", step=0, cut=own.size(), world_size=1, device="cpu")
    own.append("state", state="running", reason="1 rank on n1, cpu, from the beginning")
    own.append("warning", message="the checkpoint of step 12 could not be written")
    for epoch in range(2):
        step = 12 * (epoch + 1)
        own.append("progress", epoch=epoch + 1, epochs=3, step=step, steps=36, seconds_left=61.0)
        values = {"train/loss": 2.0 - epoch, "train/lr": 0.001, "train/examples_per_second": 1234.5}
        own.append("metrics", step=step, epoch=epoch, values=values)
        own.append("metrics", step=step, epoch=epoch, values={"val/loss": 3.0 - epoch})
    own.append("artifact", step=24, path="artifacts/samples/step-24.png", caption="samples")
    own.append("metrics", step=24, epoch=1, values={"test/loss": 2.25})
    own.append(
        "summary", parameters=2410, seconds=65.2, seconds_per_step=0.1, peak_memory=9, values={}
    )
    own.append("state", state="completed", reason="24 steps trained: no improvement for 1 epochs")
    own.close()
    return made


def monitor(run: RunDir) -> RunMonitor:
    return RunMonitor(run, Plan.from_json(read_json(run.plan)))


def printed(run: RunDir, *, terminal: bool) -> str:
    """What following the run prints."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=120, color_system=None)
    live.follow(monitor(run), lambda: read_status(run), console)
    return out.getvalue()


def test_a_log_file_has_a_line_for_every_epoch(run: RunDir) -> None:
    lines = [line for line in printed(run, terminal=False).splitlines() if "epoch" in line]
    where = "1,234 images/s  00:01:01 left  train/loss"
    assert lines == [
        f"epoch 1/3  step 12/36  {where} 2  train/lr 0.001  val/loss 3",
        f"epoch 2/3  step 24/36  {where} 1  train/lr 0.001  val/loss 2",
    ]


def test_training_without_validation_has_a_line_for_every_epoch_too(tmp_path: Path) -> None:
    run = new_run(tmp_path / "runs", train={"epochs": 2})
    plan = Plan.from_json(read_json(run.plan))
    plan = replace(plan, facts=replace(plan.facts, validation=0))
    own = Journal(run.journal)
    for step in (6, 12, 18, 24):
        own.append("metrics", step=step, epoch=(step - 1) // 12, values={"train/loss": 1.0})
    own.close()
    monitor = RunMonitor(run, plan)
    lines = [text for event in monitor.read() if (text := monitor.line(event))]
    assert lines == [f"epoch {it}/2  step {12 * it}/24  train/loss 1" for it in (1, 2)]


@pytest.mark.parametrize("terminal", [True, False])
def test_warnings_are_shown(run: RunDir, terminal: bool) -> None:
    said = printed(run, terminal=terminal)
    assert said.count("warning: the checkpoint of step 12 could not be written") == 1


def test_a_terminal_shows_the_progress_of_a_run(run: RunDir) -> None:
    said = printed(run, terminal=True)
    for words in ("quick-1", "━", "epoch 2/3", "step 24/36", "images/s", "00:01:01 left"):
        assert words in said


def test_earlier_attempts_are_not_shown_again(run: RunDir) -> None:
    late = monitor(run)
    late.offset = run.journal.stat().st_size
    out = io.StringIO()
    live.follow(late, lambda: read_status(run), Console(file=out, force_terminal=False))
    assert "epoch" not in out.getvalue()


def test_the_summary_has_the_last_metrics_and_the_paths_of_results(run: RunDir) -> None:
    out = io.StringIO()
    summary.show(summary.summarise(run), Console(file=out, width=200))
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    for line in (
        "quick-1: completed 24 steps trained: no improvement for 1 epochs",
        "warning: the checkpoint of step 12 could not be written",
        "train validation test",
        "step 24 step 24 step 24",
        "loss 1 2 2.25",
        "training 2,410 parameters, 00:01:05",
        f"run folder {run.path}",
        f"pictures {run.artifacts}",
        "dashboard hpcdl dashboard",
    ):
        assert line in lines


def test_steps_that_were_trained_again_do_not_count(run: RunDir) -> None:
    start = next(
        at
        for event, at, _ in live.journal.read(run.journal)
        if event["event"] == "progress" and event["step"] == 24
    )
    own = Journal(run.journal)
    own.append("started", attempt="2.0", step=12, cut=start, world_size=1, device="cpu")
    own.append("state", state="cancelled", reason="")
    own.close()
    found = summary.summarise(run)
    assert found.state == "cancelled"
    assert found.values["val/loss"] == 3.0
    assert not found.pictures
