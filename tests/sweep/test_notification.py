"""The end of a sweep is notified once; that of a trial is no news, its failure is."""

import threading
from pathlib import Path
from typing import Any

import pytest

from hpc_dl.jobspec.job import JobSpec
from hpc_dl.sweep import folder, notification
from hpc_dl.sweep.info import Info
from hpc_dl.sweep.trial import Result, Trial, Unit
from tests.tracking.test_webhook import Server

KNOWN = Info("job.yaml", [], "", "val/accuracy", "maximize", 0.0, "local")


def spec(**notify: Any) -> JobSpec:
    values = {
        "name": "toy",
        "model": {"name": "ffnn"},
        "data": {"name": "digits"},
        "train": {"epochs": 1},
        "sweep": {"seeds": 2, "goal": "maximize"},
        "notify": notify,
    }
    return JobSpec.model_validate(values)


@pytest.mark.parametrize(
    ("notify", "word"),
    [
        ({"webhook": "~/hook"}, 'notify.on=["failure", "no_progress"]'),
        ({"webhook": "~/hook", "on": ["end"]}, "notify=null"),
        ({}, "notify=null"),
    ],
)
def test_a_trial_tells_of_its_failure_alone(notify: dict[str, Any], word: str) -> None:
    assert notification.of_trial(spec(**notify)) == word


def test_the_end_is_told_once_with_the_best_value(tmp_path: Path) -> None:
    sweep = folder.create(tmp_path, "toy", 0o700)
    folder.add_trials(sweep, [Trial(1, {}, 0, 1), Trial(2, {}, 1, 1)])
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "hook").write_text(server.url)
        job = spec(webhook=str(tmp_path / "hook"))
        for number, value in ((1, 0.5), (2, 0.7)):
            folder.claim(sweep, Unit(number), 1, {})
            folder.write_result(sweep, Result(number, 0, "completed", value))
            assert notification.notify_end(sweep, KNOWN, job) == ""
        assert notification.notify_end(sweep, KNOWN, job) == ""
        server.shutdown()
    (told,) = server.got
    assert (told["run"], told["event"]) == ("toy.s1", "end")
    assert told["metrics"] == {"val/accuracy": pytest.approx(0.6)}
    assert "2 trials: 2 completed" in told["text"]
