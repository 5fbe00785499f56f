"""Muon: hidden layers by orthogonalised momentum, all else by AdamW, as one optimizer."""

import io
from pathlib import Path

import pytest
import torch
from torch import nn

from hpc_dl.errors import UserError
from hpc_dl.jobspec.optimizers import Muon
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.train import muon, optim
from tests.support.snapshots import taken

SPEC = Muon(name="muon", weight_decay=0.1)
RATE = 0.05


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 6, 3),
        nn.Flatten(),
        nn.Linear(24, 5),
        nn.Linear(5, 2),
    )


def step(optimizer, net, number, rate=RATE):
    """A step with gradients that follow from its number."""
    torch.manual_seed(number)
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("lr_scale", 1.0)
    for parameter in net.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()


def test_singular_values_come_to_lie_around_1_along_the_same_directions():
    for shape in ((6, 20), (20, 6)):
        matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
        left, values, right = torch.linalg.svd(muon.orthogonalised(matrix), full_matrices=False)
        assert 0.6 < values.min() < values.max() < 1.3
        u, _, v = torch.linalg.svd(matrix, full_matrices=False)
        assert torch.nn.functional.cosine_similarity(left @ right, u @ v).min() > 0.99


@pytest.mark.parametrize("nesterov", [True, False])
def test_filters_are_updated_as_torch_updates_matrices_and_all_else_as_by_adamw(nesterov):
    ours, theirs = network(), network()
    spec = SPEC.model_copy(update={"nesterov": nesterov})
    optimizer = optim.optimizer(spec, ours, Path())
    hidden = ("2.weight", "4.weight")
    flat = [nn.Parameter(theirs.get_parameter(name).detach().flatten(1)) for name in hidden]
    rest = [it for name, it in theirs.named_parameters() if name not in hidden]
    of_torch = torch.optim.Muon(
        flat,
        lr=RATE,
        momentum=spec.momentum,
        nesterov=nesterov,
        weight_decay=0.1,
        adjust_lr_fn="match_rms_adamw",
    )
    adamw = torch.optim.AdamW(rest, lr=RATE, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    for number in range(4):
        step(optimizer, ours, number)
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            other.grad = mine.grad
        for name, matrix in zip(hidden, flat, strict=True):
            matrix.grad = ours.get_parameter(name).grad.flatten(1)
        of_torch.step()
        adamw.step()
    for name, matrix in zip(hidden, flat, strict=True):
        found = ours.get_parameter(name).flatten(1)
        torch.testing.assert_close(found, matrix, atol=4e-3, rtol=0)  # torch's has bfloat16
        assert (found - matrix).abs().max() < 0.02 * (matrix - _began(name)).abs().max()
    for name, parameter in theirs.named_parameters():
        if name not in hidden:
            assert torch.equal(ours.get_parameter(name), parameter), name


def _began(name):
    return network().get_parameter(name).detach().flatten(1)


def test_a_step_goes_on_from_the_state_dict_with_the_same_bits_and_its_factors_of_the_rate():
    scales = {"2.weight": 0.1, "5.bias": 0.5}

    def build(net):
        return optim.optimizer(SPEC, net, Path(), scales)

    undisturbed, resumed = network(), network()
    before = build(undisturbed)
    for number in range(2):
        step(before, undisturbed, number)
    torch.save((undisturbed.state_dict(), before.state_dict()), saved := io.BytesIO())
    saved.seek(0)
    weights, state = torch.load(saved, weights_only=True)
    after = build(resumed)
    resumed.load_state_dict(weights)
    after.load_state_dict(state)
    for number in (2, 3):
        step(before, undisturbed, number)
        step(after, resumed, number)
    for one, other in zip(undisturbed.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
    plain = network()
    whole = optim.optimizer(SPEC, plain, Path())
    for number in range(4):
        step(whole, plain, number)
    slow, fast = ((it[2].weight - network()[2].weight).norm().item() for it in (resumed, plain))
    assert slow == pytest.approx(0.1 * fast, rel=0.1)


def test_embeddings_the_outer_layers_and_what_is_frozen_are_not_muons():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.place = nn.Parameter(torch.zeros(9, 8))
            self.enter = nn.Linear(8, 8)
            self.words = nn.Embedding(30, 8)
            self.layers = nn.TransformerEncoderLayer(8, 2, 16)
            self.memory = nn.LSTM(8, 8)
            self.head = nn.Linear(8, 30, bias=False)
            self.head.weight = self.words.weight

    net = Words()
    attention = {"layers.self_attn.in_proj_weight", "layers.self_attn.out_proj.weight"}
    dense = {"layers.linear1.weight", "layers.linear2.weight"}
    memory = {"memory.weight_ih_l0", "memory.weight_hh_l0"}
    assert muon.hidden_weights(net) == attention | dense | memory
    net.memory.requires_grad_(requires_grad=False)
    updated = optim.optimizer(SPEC, net, Path()).param_groups[0]["params"]
    assert {id(it) for it in updated} == {id(net.get_parameter(it)) for it in attention | dense}
    with pytest.raises(UserError, match="trains none"):
        muon.hidden_weights(nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2)))


@pytest.mark.usefixtures("forked_check")
def test_the_plan_says_which_are_muons_and_a_network_without_hidden_layers_is_refused(tmp_path):
    train = {"steps": 20, "optimizer": {"name": "muon", "lr": 1e-2}}
    deep = {"name": "ffnn", "hidden": [32, 32, 16]}
    (note,) = taken(tmp_path, train=train, model=deep).notes
    share = (32 * 32 + 32 * 16) / (65 * 32 + 33 * 32 + 33 * 16 + 17 * 10)
    assert note.startswith(f"muon updates {share:.1%} of the parameters")
    with pytest.raises(SpecConflict, match=r"train\.optimizer: muon is for weights of hidden"):
        taken(tmp_path, train=train, model={"name": "ffnn", "hidden": [8]})
