"""Recurrent networks step as their formulas say, and read images row by row."""

import functools

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from hpc_dl.jobspec.architectures.lstm import LongShortTermMemory as LSTMOptions
from hpc_dl.jobspec.architectures.rnn import Recurrent as Options
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.tasks.padding import is_real
from hpc_dl.zoo.architectures.lstm import CELLS, LongShortTermMemory
from hpc_dl.zoo.architectures.rnn import Recurrent
from hpc_dl.zoo.layers.fronts import Rows

SEQUENCES = DataFacts.of("sequence", "classify", (7, 3), ("a", "b"), 10, 10, 10)
IMAGES = DataFacts.of("image", "classify", (3, 28, 20), tuple("0123456789"), 10, 10, 10)


def rnn(facts=SEQUENCES, **options):
    torch.manual_seed(0)
    return Recurrent(Options(name="rnn", hidden=5, **options), facts).networks()["model"]


def lstm(facts=SEQUENCES, **options):
    torch.manual_seed(0)
    made = LongShortTermMemory(LSTMOptions(name="lstm", hidden=5, **options), facts)
    return made.networks()["model"].eval()


def weights(cells, layer=""):
    return [getattr(cells, f"{name}_l0{layer}") for name in ("weight_ih", "weight_hh")], [
        getattr(cells, f"{name}_l0{layer}") for name in ("bias_ih", "bias_hh")
    ]


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_recurrence_equals_the_equations(activation):
    network, sequence = rnn(activation=activation), torch.rand(4, 7, 3)
    (into, back), biases = weights(network.cells.layers[0][0])
    state = torch.zeros(4, 5)
    for t in range(7):
        state = getattr(torch, activation)(sequence[:, t] @ into.T + state @ back.T + sum(biases))
    torch.testing.assert_close(network(sequence), network.head(state))


def test_the_lstm_equals_the_equations():
    network, sequence = lstm(), torch.rand(4, 7, 3)
    (into, back), biases = weights(network.cells.layers[0][0])
    state, memory = torch.zeros(4, 5), torch.zeros(4, 5)
    for t in range(7):
        enter, forget, new, out = (sequence[:, t] @ into.T + state @ back.T + sum(biases)).chunk(
            4, dim=1
        )
        memory = forget.sigmoid() * memory + enter.sigmoid() * new.tanh()
        state = out.sigmoid() * memory.tanh()
    torch.testing.assert_close(network(sequence), network.head(state))


def test_the_gru_equals_the_equations():
    network, sequence = lstm(cell="gru"), torch.rand(4, 7, 3)
    (into, back), (bias_in, bias_back) = weights(network.cells.layers[0][0])
    state = torch.zeros(4, 5)
    for t in range(7):
        given = (sequence[:, t] @ into.T + bias_in).chunk(3, dim=1)
        kept = (state @ back.T + bias_back).chunk(3, dim=1)
        reset, stay = ((a + b).sigmoid() for a, b in zip(given[:2], kept[:2], strict=True))
        state = (1 - stay) * (given[2] + reset * kept[2]).tanh() + stay * state
    torch.testing.assert_close(network(sequence), network.head(state))


def test_both_directions_give_their_last_state():
    network, sequence = lstm(bidirectional=True), torch.rand(4, 7, 3)
    forwards, backwards = network.cells.layers[0]
    ends = [
        way(it.transpose(0, 1))[0][-1]
        for way, it in ((forwards, sequence), (backwards, sequence.flip(1)))
    ]
    torch.testing.assert_close(network(sequence), network.head(torch.cat(ends, dim=1)))


@pytest.mark.parametrize("cell", CELLS)
def test_padded_sequences_are_read_both_ways_as_torch_reads_packed_ones(cell):
    """And the weights of torch's module for both ways, as they were saved, are loaded."""
    network = lstm(cell=cell, layers=2, bidirectional=True, dropout=0.0)
    theirs = CELLS[cell](3, 5, 2, bidirectional=True)
    saved = {f"head.{name}": it for name, it in network.head.state_dict().items()}
    for name, it in theirs.state_dict().items():
        layer = "1" if "l1" in name else "0"  # each of which was a module
        saved[f"cells.{layer}.{name.replace('l1', 'l0')}"] = it
    network.load_state_dict(saved)
    sequence, length = torch.rand(4, 7, 3), torch.tensor([5, 1, 7, 3])
    packed = pack_padded_sequence(sequence, length, batch_first=True, enforce_sorted=False)
    states, last = theirs(packed)
    states, _ = pad_packed_sequence(states, batch_first=True)
    ours, ends = network.cells(sequence.transpose(0, 1), length)
    real = is_real(length, 7)
    torch.testing.assert_close(ours.transpose(0, 1)[real], states[real])
    last = last[0] if cell == "lstm" else last
    torch.testing.assert_close(ends, torch.cat(list(last[-2:]), dim=1))


def test_an_image_is_read_from_its_top_row_to_its_last():
    image = torch.rand(4, 3, 28, 20)
    read, _ = Rows(60)(image)
    assert read.shape == (4, 28, 60)
    for row in (0, 9, 27):
        assert torch.equal(read[:, row].unflatten(1, (3, 20)), image[:, :, row])
    assert rnn(IMAGES)(image).shape == (4, 10)
    assert lstm(IMAGES, layers=2, bidirectional=True)(image).shape == (4, 10)


@pytest.mark.parametrize("ways", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_layers_with_dropout_between_them_are_torchs(cell, ways):
    """Bit by bit; and what a module with all the layers was saved with is loaded."""
    network = lstm(cell=cell, layers=3, dropout=0.4, bidirectional=ways).train()
    torch.manual_seed(0)
    theirs = CELLS[cell](3, 5, 3, batch_first=True, bidirectional=ways, dropout=0.4)
    assert all(map(torch.equal, network.cells.parameters(), theirs.parameters()))
    for parameter in theirs.parameters():
        nn.init.uniform_(parameter)
    saved = {f"cells.{name}": it for name, it in theirs.state_dict().items()}
    saved |= {f"head.{name}": it for name, it in network.head.state_dict().items()}
    network.load_state_dict(saved)
    sequence = torch.rand(4, 7, 3)
    torch.manual_seed(1)
    _, last = theirs(sequence)
    state = last[0] if cell == "lstm" else last
    expected = network.head(torch.cat(list(state[-2:] if ways else state[-1:]), dim=1))
    torch.manual_seed(1)
    assert torch.equal(network(sequence), expected)


def test_torchs_own_dropout_is_off():
    """For cuDNN's random numbers are no function of the step, and slow to seed."""
    network = lstm(layers=2, dropout=0.4)
    layers = [layer for (layer,) in network.cells.layers]
    assert [it.num_layers for it in layers] == [1, 1]
    assert [it.dropout for it in layers] == [0.0, 0.0]
    assert network.cells.dropout == network.head[0].p == 0.4


@pytest.mark.parametrize("made", [rnn, lstm, functools.partial(lstm, cell="gru")])
def test_under_bf16_recurrent_layers_compute_in_fp32(made):
    network, sequence, seen = made(layers=2), torch.rand(4, 7, 3), []
    for (layer,) in network.cells.layers:
        layer.register_forward_hook(lambda _cells, _given, made: seen.append(made[0].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(sequence)
    outputs.float().sum().backward()
    assert seen == [torch.float32] * 2
    assert outputs.dtype == torch.bfloat16, "the dense layer is in bf16"
    assert all(p.grad.isfinite().all() for p in network.parameters())
