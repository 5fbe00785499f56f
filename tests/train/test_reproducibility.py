"""Deterministic algorithms: asked for before training, and what has none is named to the user."""

import warnings

import pytest
import torch

from hpc_dl.train import reproducibility
from tests.support import ranks
from tests.support.running import events, new_run

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


def test_by_default_torch_is_deterministic_and_warns_of_what_cannot_be(tmp_path, code):
    run = trained(tmp_path, code)
    assert f"deterministic: True {reproducibility.WORKSPACE} False" in log(run)
    (warning,) = events(run, "warning")
    assert warning["message"].startswith("put_ has no deterministic implementation in torch")
    assert "train.deterministic=false" in warning["message"]
    assert "UserWarning: put_" not in log(run)


def test_deterministic_false_chooses_the_fastest_algorithms(tmp_path, code):
    run = trained(tmp_path, code, deterministic=False)
    assert "deterministic: False None True" in log(run)
    assert not events(run, "warning")


def test_other_warnings_are_shown_as_usual():
    with (
        pytest.warns(UserWarning, match="mind the step"),
        reproducibility.warn_nondeterministic(pytest.fail),
    ):
        warnings.warn("mind the step", stacklevel=1)


@pytest.fixture
def fused(monkeypatch):
    """Which kernels of attention are allowed, on a machine with a GPU; as before in the end."""
    kinds = ("flash", "mem_efficient", "cudnn", "math")
    enabled = lambda: [getattr(torch.backends.cuda, f"{it}_sdp_enabled")() for it in kinds]  # noqa: E731
    before = enabled()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    yield enabled
    for kind, was in zip(kinds, before, strict=True):
        getattr(torch.backends.cuda, f"enable_{kind}_sdp")(was)
    torch.use_deterministic_algorithms(False)


def test_attention_on_gpus_uses_the_deterministic_kernel(fused):
    """torch's fused ones are not while it is to warn only, and it warns in other words."""
    reproducibility.use_deterministic_algorithms(True)
    assert fused() == [False, False, False, True]
    reproducibility.use_deterministic_algorithms(False)
    assert fused() == [True, True, True, True]


@pytest.mark.parametrize("kind", ["Flash Attention", "Memory Efficient attention"])
def test_fused_attention_of_a_user_network_is_warned_of(kind):
    said: list[str] = []
    with reproducibility.warn_nondeterministic(said.append):
        warnings.warn(
            f"{kind} defaults to a non-deterministic algorithm. To explicitly enable determinism "
            "call torch.use_deterministic_algorithms(True, warn_only=False).",
            stacklevel=1,
        )
    assert [it.split(" has no")[0] for it in said] == [kind]


@pytest.mark.parametrize("wanted", [None, True, False])
def test_tf32_is_for_all_products_or_none_or_as_torch_has_it(wanted):
    matrices, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matrices.allow_tf32, convolutions.allow_tf32
    assert before == (False, True), "torch's defaults, as the plan says"
    try:
        reproducibility.use_tf32(wanted)
        expected = before if wanted is None else (wanted, wanted)
        assert (matrices.allow_tf32, convolutions.allow_tf32) == expected
    finally:
        matrices.allow_tf32, convolutions.allow_tf32 = before
