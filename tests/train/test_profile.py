"""A profile of some steps: a trace in the run and in MLflow, of the same training."""

import gzip
import json

import pytest

from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.run.layout import read_json, write_json
from tests.support import ranks
from tests.support.running import events, final_state, new_run


def trace(run):
    with gzip.open(run.profile, "rt") as file:
        return json.load(file)["traceEvents"]


def pause(run, step):
    write_json(run.plan, {**read_json(run.plan), "pause_at": step})


def test_the_steps_asked_for_are_traced_once_and_the_training_is_the_same_by_a_bit(tmp_path):
    length = {"steps": 30, "epochs": None}
    run = new_run(tmp_path, train={**length, "profile": 3})
    for step in (13, 29):  # amid them, and after the last
        assert not run.profile.exists()
        pause(run, step)
        with ranks.ended(ranks.start(run)) as (process,):
            process.join(100)
    written = run.profile.read_bytes()
    pause(run, None)
    ranks.train(run)
    assert run.profile.read_bytes() == written
    assert [it["path"] for it in events(run, "artifact")].count("artifacts/profile.json.gz") == 1
    found = trace(run)
    steps = {it["name"] for it in found if it.get("name", "").startswith("ProfilerStep#")}
    assert len(steps) == 3
    assert any(it.get("name") == "aten::addmm" for it in found)
    assert "Self CPU %" in "".join(log.read_text() for log in run.logs.glob("*.log"))
    assert final_state(run) == final_state(ranks.train(new_run(tmp_path, train=length)))
    assert events(run, "warning") == []


def test_a_profile_that_is_longer_than_the_training_is_refused(tmp_path):
    with pytest.raises(SpecConflict, match=r"train\.profile: 9 steps are profiled after 12 others"):
        new_run(tmp_path, train={"steps": 20, "epochs": None, "profile": 9})
