"""A profile of some steps: a trace in the run and in MLflow, of the same training."""

import gzip
import json

import pytest
import torch

from hpc_dl.jobspec.train import PROFILE_AFTER
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.run.layout import read_json, write_json
from hpc_dl.train.step_profile import StepProfile, table, write_trace
from tests.support import ranks, steps
from tests.support.running import digest_of, events, new_run

CPU = torch.device("cpu")


def names(path):
    with gzip.open(path, "rt") as file:
        return [it.get("name", "") for it in json.load(file)["traceEvents"]]


def engine_after(length, folder, after_step=lambda: None):
    engine, batches = steps.engine_of(steps.job(model={"name": "ffnn", "hidden": [8]}), folder)
    for step in range(length):
        engine.train_step(batches.of_step(step), batches.dummy_batch, report=False)
        after_step()
    return digest_of(engine.state())


def test_the_steps_asked_for_are_traced_and_stay_the_same_by_a_bit(tmp_path):
    found = []
    profile = StepProfile(3, CPU, found.append)
    profiled = engine_after(PROFILE_AFTER + 5, tmp_path, profile.after_step)
    assert profiled == engine_after(PROFILE_AFTER + 5, tmp_path)
    profile.close()
    (written,) = found
    write_trace(written, path := tmp_path / "artifacts" / "profile.json.gz")
    traced = names(path)
    assert len({it for it in traced if it.startswith("ProfilerStep#")}) == 3
    assert "aten::addmm" in traced
    assert "aten::addmm" in table(written, CPU)
    assert [it.name for it in path.parent.iterdir()] == [path.name]


def test_a_training_that_ends_amid_the_steps_leaves_no_part_of_a_profile(tmp_path):
    found = []
    profile = StepProfile(3, CPU, found.append)
    engine_after(PROFILE_AFTER + 2, tmp_path, profile.after_step)
    profile.close()
    assert found == []
    assert not profile.is_complete


def test_a_run_is_profiled_once_though_it_is_resumed(tmp_path):
    run = new_run(tmp_path, train={"steps": 20, "epochs": None, "profile": 3})
    write_json(run.plan, {**read_json(run.plan), "pause_at": 17})
    with ranks.ended(ranks.start(run)) as (process,):
        process.join(240)
    written = run.profile.read_bytes()
    write_json(run.plan, {**read_json(run.plan), "pause_at": None})
    ranks.train(run)
    assert run.profile.read_bytes() == written
    assert [it["path"] for it in events(run, "artifact")].count("artifacts/profile.json.gz") == 1
    assert "Self CPU %" in "".join(log.read_text() for log in run.logs.glob("*.log"))
    assert events(run, "warning") == []


def test_a_profile_that_is_longer_than_the_training_is_refused(tmp_path):
    with pytest.raises(SpecConflict, match=r"train\.profile: 9 steps are profiled after 12 others"):
        new_run(tmp_path, train={"steps": 20, "epochs": None, "profile": 9})
