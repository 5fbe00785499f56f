"""The conditional random field against a sum over all sequences of tags."""

import itertools

import torch

from hpc_dl.tasks import chain
from hpc_dl.tasks.padding import is_real

TAGS, LENGTHS = 3, torch.tensor([4, 2, 1])


def potentials(width=4):
    generator = torch.Generator().manual_seed(0)
    made = torch.randn(3, 4, TAGS, TAGS, dtype=torch.float64, generator=generator)
    padded = torch.nn.functional.pad(made, (0, 0, 0, 0, 0, width - 4), value=7.0)
    return chain.keep_tag(padded, is_real(LENGTHS, width))


def scores(of, length):
    """The score of every sequence of tags of a sentence, by the sequence."""
    return {
        tags: of[0, 0, tags[0]] + sum(of[t, tags[t - 1], tags[t]] for t in range(1, length))
        for tags in itertools.product(range(TAGS), repeat=length)
    }


def test_the_likelihood_of_all_sequences_is_one_and_the_best_one_is_found():
    of = potentials()
    true = torch.tensor([[2, 0, 1, 1], [1, 2, 0, 0], [2, 0, 0, 0]])
    nats = chain.negative_log_likelihood(of, true, is_real(LENGTHS, 4))
    best = chain.likeliest(of)
    for row, length in enumerate(LENGTHS.tolist()):
        every = scores(of[row], length)
        total = torch.stack(list(every.values())).logsumexp(0)
        torch.testing.assert_close(nats[row], total - every[tuple(true[row, :length].tolist())])
        assert tuple(best[row, :length].tolist()) == max(every, key=every.get)


def test_more_padding_changes_nothing():
    true = torch.tensor([[2, 0, 1, 1, 0, 0], [1, 2, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0]])
    short, wide = (
        chain.negative_log_likelihood(potentials(width), true[:, :width], is_real(LENGTHS, width))
        for width in (4, 6)
    )
    assert torch.equal(short, wide)
    assert torch.equal(chain.likeliest(potentials(4)), chain.likeliest(potentials(6))[:, :4])


def test_gradients_of_padding_are_zero_and_none_is_nan():
    raw = torch.randn(1, 3, TAGS, TAGS, requires_grad=True)
    real = is_real(torch.tensor([2]), 3)
    nats = chain.negative_log_likelihood(chain.keep_tag(raw, real), torch.zeros(1, 3).long(), real)
    nats.sum().backward()
    assert raw.grad.isfinite().all()
    assert not raw.grad[:, 2].any()
