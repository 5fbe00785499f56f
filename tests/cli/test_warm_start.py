"""`model.init_from` as a user writes it: what it may name, and what is refused at which place."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from hpc_dl.cli import job_request, show_plan
from hpc_dl.cli.preview import preview
from hpc_dl.cli.run_choice import RunChoice
from hpc_dl.errors import UserError
from hpc_dl.run import initial_weights
from hpc_dl.run.journal import Journal
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import registry
from hpc_dl.submission.prepare import prepare
from hpc_dl.zoo.trained import WEIGHTS
from tests.support import exports
from tests.support.running import new_run
from tests.support.typed import job_file, use_settings

JOB = """\
name: fine
model: {name: cnn, channels: [4], init_from: quick}
data: {name: digits}
train: {epochs: 1}
"""


@pytest.fixture
def earlier(tmp_path, monkeypatch):
    """A run with an export of a network for pictures of three animals."""
    use_settings(monkeypatch, tmp_path)
    run = new_run(tmp_path / "runs")
    exports.export(run.export, *exports.PICTURES["cnn"])
    return run


def read(folder, *overrides):
    return job_request.read(Path(job_file(folder, JOB)), overrides, None)


def test_it_names_a_run_a_folder_or_a_file_relative_to_the_spec(tmp_path, earlier, monkeypatch):
    there = earlier.export / WEIGHTS
    shutil.copyfile(there, tmp_path / "copy.safetensors")
    tensors = safetensors.torch.load_file(there)
    torch.save({it.removeprefix("model/"): tensors[it] for it in tensors}, tmp_path / "copy.pt")
    step = earlier.checkpoints / "step-00000012"
    step.mkdir(parents=True)
    torch.save({"engine": {"networks": {"model": {}}, "averages": {}}}, step / "state.pt")
    monkeypatch.chdir(earlier.path)
    for word, source, overrides in (
        ("quick", "quick-1", []),
        ("quick", "quick-1", ["model.init_from=../quick-1/export"]),  # typed: of this folder
        ("runs/quick-1", "quick-1", []),
        ("runs/quick-1/checkpoints/step-00000012", "quick-1, step-00000012", []),
        ("copy.safetensors", str(tmp_path / "copy.safetensors"), []),
        ("{from: copy.pt}", str(tmp_path / "copy.pt"), []),
    ):
        text = JOB.replace("init_from: quick", f"init_from: {word}")
        found = job_request.read(Path(job_file(tmp_path, text)), overrides, None)
        assert found.initial and found.initial.source.name == source
        known = {"quick-1": exports.GREY, "quick-1, step-00000012": found.facts}
        assert found.initial.source.facts == known.get(source)
        assert found.fingerprint.parts["model.init_from"]


@pytest.mark.parametrize("name", ["a.png", "b.npz", "c.json"])
def test_a_file_without_weights_is_refused_before_the_job(tmp_path, earlier, name):
    np.savez(tmp_path / "b.npz", x=np.zeros(3))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(UserError, match=f"{name} is no file of weights"):
        job_request.read(Path(job_file(tmp_path, JOB.replace("quick", f"./{name}"))), [], None)


def test_the_plan_says_what_is_known(tmp_path, earlier):
    request = read(tmp_path, 'model.init_from={from: quick, freeze: ["0.*"], lr_scale: 0.1}')
    shown = preview(request, RunChoice("start"), registry.get("local"))
    lines = "\n".join(f"{name}: {text}" for name, text in show_plan.rows(shown))
    assert "begins with: quick-1: 6 tensors, 8,747 numbers" in lines
    assert "freeze 0.*; learning rate x 0.1" in lines
    assert "note: other classes than before: the layers with weights for each" in lines


def test_what_does_not_go_with_it_is_refused_where_it_is_written(tmp_path, earlier):
    exports.export(tmp_path / "sounds", *exports.RECORDINGS["lstm of recordings"])
    refused = {
        "model.init_from=quik": (":17: model.init_from.from: there is no run 'quik'", "quick-1"),
        'model.init_from={from: quick, only: ["0.*", "conv*"]}': (
            ":45: model.init_from.only: nothing that is there matches 'conv*'",
            "quick has: 0.bias, 0.weight",
        ),
        f"model.init_from={tmp_path}/sounds": ("was trained on audio data", "image"),
    }
    waiting = new_run(tmp_path / "runs", name="waiting")
    Journal(waiting.journal).append("state", state="queued")
    Submission("slurm", "17", "here", 0.0).save(waiting)
    refused["model.init_from=waiting"] = (
        "waiting-1 has no trained network yet: it is queued",
        "put `hpcdl attach waiting-1 &&` before this command",
    )
    for override, expected in refused.items():
        with pytest.raises(UserError) as caught:
            read(tmp_path, override)
        assert all(it in str(caught.value) for it in expected), str(caught.value)


def test_the_weights_are_pinned_and_a_run_that_has_begun_needs_the_original_no_more(
    tmp_path, earlier
):
    request, run = read(tmp_path), new_run(tmp_path / "runs", name="fine")
    plan = request.plan(run.path, registry.get("local"))
    shutil.rmtree(run.path)
    run.path.mkdir()
    prepare(run, request.spec, plan, tmp_path, request.code, request.fingerprint, request.initial)
    tensors = safetensors.torch.load_file(earlier.export / WEIGHTS)
    tensors["model/0.bias"] += 1
    safetensors.torch.save_file(tensors, earlier.export / WEIGHTS)
    assert "model.init_from changed" in request.fingerprint.difference(read(tmp_path).fingerprint)
    shutil.rmtree(earlier.path)
    resumed = job_request.read(run.spec, [], None, copied=run.code, begun=run)
    assert not request.fingerprint.difference(resumed.fingerprint)
    kept = initial_weights.find(run)
    assert kept and kept.source == request.initial.source
