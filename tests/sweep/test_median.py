"""The median rule: a trial that is worse than the complete ones were is paused for good."""

import threading
from pathlib import Path

import pytest

from hpc_dl.run.journal import Journal
from hpc_dl.run.layout import RunDir
from hpc_dl.sweep import folder, median
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.goal import Goal
from hpc_dl.sweep.trial import Result, Trial
from tests.support.waiting import wait_until

pytest.importorskip("optuna")

COMPLETE = [{1: 0.9, 2: 0.5}, {1: 0.8, 2: 0.4}, {1: 0.7, 2: 0.3}, {1: 0.6, 2: 0.2}, {1: 0.5}]
"""The medians are 0.7 and 0.35."""


@pytest.mark.parametrize(
    ("curve", "goal", "stops"),
    [
        ({1: 0.71}, "minimize", True),
        ({1: 0.69}, "minimize", False),
        ({1: 0.3, 2: 0.9}, "minimize", False),  # the best so far counts
        ({1: 0.6, 2: 0.36}, "minimize", True),
        ({1: 0.69}, "maximize", True),
        ({1: 0.71}, "maximize", False),
        ({3: 0.9}, "minimize", False),  # nobody has trained so long
    ],
)
def test_a_curve_is_compared_after_the_same_epoch(
    curve: dict[int, float], goal: Goal, stops: bool
) -> None:
    assert median.is_worse(curve, COMPLETE, goal) == stops
    assert not median.is_worse(curve, COMPLETE[:4], goal), "four are too few"


def add_values(run: RunDir, curve: dict[int, float]) -> None:
    log = Journal(run.journal)
    for epoch, value in curve.items():
        log.append("metrics", step=epoch, epoch=epoch - 1, values={"val/loss": value})
    log.close()


def watched(sweep: SweepDir, run: RunDir, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return why a run is asked to pause, whose journal grows while it is watched."""
    monkeypatch.setattr(median, "_POLL_SECONDS", 0.01)
    watch = median.Watch(sweep, run, "val/loss", "minimize")
    ended = threading.Event()
    thread = threading.Thread(target=watch.until, args=(ended,))
    thread.start()
    add_values(run, {1: 0.65})
    wait_until(lambda: watch._curve == {1: 0.65})
    add_values(run, {2: 0.6} if run.path.name.endswith("6") else {2: 0.1})
    wait_until(lambda: run.pause.exists() or len(watch._curve) == 2)
    ended.set()
    thread.join()
    return run.pause.read_text() if run.pause.exists() else ""


def test_a_run_is_asked_to_pause_by_what_its_journal_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = folder.create(tmp_path, "toy", 0o700)
    folder.add_trials(sweep, [Trial(number, {}) for number in range(1, 8)])
    for number in range(1, 8):
        sweep.run(number).path.mkdir()
    for number, curve in enumerate(COMPLETE, 1):
        add_values(sweep.run(number), curve)
        folder.write_result(sweep, Result(number, 0, "completed", min(curve.values())))
    why = watched(sweep, sweep.run(6), monkeypatch)
    assert why == "worse than the median of the complete trials after epoch 2"
    assert watched(sweep, sweep.run(7), monkeypatch) == ""
