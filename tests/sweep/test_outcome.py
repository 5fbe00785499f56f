"""The result of a unit, as its run's journal has it."""

from pathlib import Path
from typing import Any

import pytest

from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.sweep import outcome
from hpc_dl.sweep.trial import Result, Unit


def run_with(path: Path, *events: dict[str, Any]) -> RunDir:
    path.mkdir(exist_ok=True)
    run = RunDir(path)
    log = Journal(run.journal)
    for event in events:
        log.append(**event)
    log.close()
    return run


def measured(step: int, value: Any) -> dict[str, Any]:
    return {"event": "metrics", "step": step, "epoch": 0, "values": {"val/accuracy": value}}


def state(word: str, reason: str = "") -> dict[str, Any]:
    return {"event": "state", "state": word, "reason": reason}


def read(run: RunDir) -> Result | None:
    return outcome.read(run, Unit(3, 1), "val/accuracy", "maximize", "7_3")


def test_the_value_is_the_best_so_far_and_nan_is_none(tmp_path: Path) -> None:
    run = run_with(
        tmp_path, *(measured(*it) for it in [(1, "nan"), (2, 0.9), (3, 0.8)]), state("completed")
    )
    found = read(run)
    assert found is not None
    assert (found.value, found.state, found.unit, found.job_id) == (
        0.9,
        "completed",
        Unit(3, 1),
        "7_3",
    )


def test_a_step_that_is_trained_again_counts_once(tmp_path: Path) -> None:
    run = run_with(tmp_path, {"event": "started", "step": 0}, measured(1, 0.5))
    cut = run.journal.stat().st_size
    run_with(tmp_path, measured(2, 0.99))
    run_with(tmp_path, {"event": "started", "step": 1, "cut": cut}, measured(2, 0.6))
    found = read(run_with(tmp_path, state("completed")))
    assert found is not None
    assert found.value == 0.6


@pytest.mark.parametrize("word", ["planned", "running", "requeued", "stopped"])
def test_a_run_that_goes_on_has_no_result(tmp_path: Path, word: str) -> None:
    assert read(run_with(tmp_path, measured(1, 0.5), state(word))) is None


def test_a_run_out_of_time_has_failed_with_that_reason(tmp_path: Path) -> None:
    found = read(run_with(tmp_path, state("timeout", "wall-clock limit after 5 requeues")))
    assert found is not None
    assert (found.state, found.reason) == ("failed", "wall-clock limit after 5 requeues")


def test_a_journal_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    RunDir(tmp_path).journal.mkdir()
    found = read(RunDir(tmp_path))
    assert found is not None
    assert found.state == "failed"
    assert str(RunDir(tmp_path).journal) in found.reason
