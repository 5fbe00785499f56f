"""Deterministic algorithms: asked for before training, and what has none is named to the user."""

import warnings

import pytest

from hpc_dl.train import deterministic
from tests import ranks
from tests.running import events, new_run

USERS = '''
import os

import torch
from torch import nn
from hpc_dl.zoo.supervised import Supervised


class Putting(Supervised):
    """`put` has no deterministic implementation in torch, on any device."""

    def network(self):
        print("deterministic:", torch.are_deterministic_algorithms_enabled(),
              os.environ.get("CUBLAS_WORKSPACE_CONFIG"), torch.backends.cudnn.benchmark)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    def outputs(self, nets, batch):
        outputs = nets["model"](batch["image"])
        return outputs.put(torch.tensor([0]), outputs.flatten()[:1])
'''


@pytest.fixture
def code(tmp_path, monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "users.py").write_text(USERS)
    return folder


def trained(root, code, **train):
    model = {"name": "users.py:Putting"}
    return ranks.train(
        new_run(root, code, model=model, train={"epochs": None, "steps": 3, **train})
    )


def log(run):
    return next(run.logs.glob("*-0.log")).read_text()


def test_by_default_torch_is_deterministic_and_names_what_it_cannot_be(tmp_path, code):
    run = trained(tmp_path, code)
    assert f"deterministic: True {deterministic.WORKSPACE} False" in log(run)
    (warning,) = events(run, "warning")
    assert warning["message"].startswith("put_ has no deterministic implementation in torch")
    assert "train.deterministic=false" in warning["message"]
    assert "UserWarning: put_" not in log(run)


def test_speed_can_be_had_instead(tmp_path, code):
    run = trained(tmp_path, code, deterministic=False)
    assert "deterministic: False None True" in log(run)
    assert not events(run, "warning")


def test_other_warnings_are_shown_as_ever():
    with pytest.warns(UserWarning, match="mind the step"), deterministic.reported(pytest.fail):
        warnings.warn("mind the step", stacklevel=1)
