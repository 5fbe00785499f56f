"""EMA weights follow the published formula, bit by bit, and keep the network's buffers."""

import copy

import torch
from torch import nn

from hpc_dl.train.player import EMA

DECAY = 0.9


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 7), nn.BatchNorm1d(7), nn.Linear(7, 2).bfloat16())


def trained(net):
    """Change weights and buffers as a step would."""
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            tensor.add_(torch.ones_like(tensor))


def test_each_update_is_a_step_towards_the_weights_by_one_minus_the_decay():
    net = network()
    ema, expected = EMA(net, DECAY), [it.detach().clone() for it in net.parameters()]
    for step in range(30):
        trained(net)
        ema.update(step)
        weight = 1 - min(DECAY, (1 + step) / (10 + step))
        expected = [
            a.lerp(p.detach(), weight) for a, p in zip(expected, net.parameters(), strict=True)
        ]
    assert all(map(torch.equal, expected, ema.network.parameters()))
    assert all(map(torch.equal, net.buffers(), ema.network.buffers()))


def test_its_state_has_the_keys_of_the_network_and_needs_no_gradient():
    net = network()
    ema = EMA(net, DECAY)
    assert list(ema.network.state_dict()) == list(net.state_dict())
    assert not any(it.requires_grad for it in ema.network.parameters())
    ema.network.load_state_dict(copy.deepcopy(net.state_dict()))


def test_a_network_without_weights_has_an_average_of_nothing():
    EMA(nn.ReLU(), DECAY).update(0)
