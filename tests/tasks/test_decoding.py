"""Decoding needs a step alone, and the same seed gives the same tokens."""

import torch

from hpc_dl.tasks.decoding import Sampler, Sampling, beam_search, generate

CHANCES = torch.tensor(
    [
        [0.1, 0.6, 0.2, 0.1],
        [0.2, 0.1, 0.4, 0.3],
        [0.05, 0.35, 0.3, 0.3],
        [0.0001, 0.0001, 0.0001, 0.9997],
    ]
)
"""Of the next token, by the one before: a Markov chain."""


def chain(tokens, state):
    """A step that counts in its state how many tokens each row has seen."""
    state = torch.zeros(len(tokens), 1) if state is None else state
    return CHANCES[tokens].log(), state + 1


def test_greedy_takes_the_likeliest_token_and_continues_prompts_of_any_length():
    prompt, length = torch.tensor([[0, 3, 2], [1, 0, 0]]), torch.tensor([3, 1])
    found = generate(chain, prompt, length, 3)
    assert found.tolist() == [[1, 2, 1], [2, 1, 2]]
    assert generate(chain, prompt[:1], length[:1], 3).tolist() == found[:1].tolist()


def test_after_the_end_there_is_nothing_else():
    prompt = torch.tensor([[0], [3]])
    found = generate(chain, prompt, torch.ones(2, dtype=torch.int64), 4, end=2)
    assert found.tolist() == [[1, 2, 2, 2], [3, 3, 3, 3]]


def test_the_same_seed_draws_the_same_tokens():
    prompt, length = torch.zeros(5, 1, dtype=torch.int64), torch.ones(5, dtype=torch.int64)
    samplers = (Sampler(Sampling(seed=seed)) for seed in (0, 0, 1))
    found = [generate(chain, prompt, length, 20, choose=it) for it in samplers]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_tokens_are_drawn_by_their_probabilities():
    logits = CHANCES[:1].log().expand(20000, -1)
    shares = torch.bincount(Sampler(Sampling(temperature=1))(logits), minlength=4) / 20000
    torch.testing.assert_close(shares, CHANCES[0], atol=0.02, rtol=0)
    squares = CHANCES[0].square() / CHANCES[0].square().sum()
    colder = torch.bincount(Sampler(Sampling(temperature=0.5))(logits), minlength=4) / 20000
    torch.testing.assert_close(colder, squares, atol=0.02, rtol=0)


def test_top_k_and_top_p_draw_none_but_the_likeliest():
    logits = CHANCES[:1].log().expand(2000, -1)
    for sampler, kept in (
        (Sampler(Sampling(top_k=2)), {1, 2}),
        (Sampler(Sampling(top_k=9)), {0, 1, 2, 3}),
        (Sampler(Sampling(top_p=0.5)), {1}),
        (Sampler(Sampling(top_p=0.7)), {1, 2}),
        (Sampler(Sampling(top_p=1e-9)), {1}),
    ):
        assert set(sampler(logits).tolist()) == kept


def test_the_colder_the_surer_whatever_the_number():
    logits = CHANCES[:1].log().expand(200, -1)
    for temperature in (1e-3, 1e-30, 1e-300):
        assert set(Sampler(Sampling(temperature=temperature))(logits).tolist()) == {1}


def all_scores(first, count):
    """The log-probability of every continuation of one token."""
    found = {(): 0.0}
    for _ in range(count):
        found = {
            (*path, token): score + CHANCES[(first, *path)[-1], token].log().item()
            for path, score in found.items()
            for token in range(4)
        }
    return found


def test_a_wide_beam_finds_the_likeliest_continuation_where_greedy_does_not():
    for first in range(3):
        scores = all_scores(first, 3)
        found = beam_search(chain, torch.tensor([[3, first]]), 3, width=16)
        best = max(scores, key=scores.__getitem__)
        assert tuple(found[0].tolist()) == best
        greedy = generate(chain, torch.tensor([[first]]), torch.tensor([1]), 3)[0].tolist()
        assert scores[tuple(greedy)] < scores[best]


def test_a_beam_of_one_is_greedy_and_rows_do_not_disturb_each_other():
    prompt = torch.tensor([[0], [1], [2]])
    ones = torch.ones(3, dtype=torch.int64)
    assert torch.equal(beam_search(chain, prompt, 4, width=1), generate(chain, prompt, ones, 4))
    wide = beam_search(chain, prompt, 4, width=3)
    alone = [beam_search(chain, prompt[n : n + 1], 4, width=3)[0] for n in range(3)]
    assert torch.equal(wide, torch.stack(alone))


def test_a_beam_ends_at_the_end_and_a_penalty_prefers_long_ones():
    short = beam_search(chain, torch.tensor([[0]]), 4, width=4, end=1)[0]
    assert short.tolist() == [1, 1, 1, 1]
    long = beam_search(chain, torch.tensor([[0]]), 4, width=8, end=1, length_penalty=2.0)[0]
    assert long.tolist() == [3, 3, 3, 3]


ENDING = torch.tensor(
    [
        [0.0, 0.5, 0.1, 0.4],
        [0.0, 0.6, 0.4, 0.0],
        [0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.99, 0.01],
    ]
)
"""Of the next token by the one before; 2 is the end."""


def ending(tokens, state):
    state = torch.zeros(len(tokens), 1) if state is None else state
    return ENDING[tokens].log(), state + 1


def test_what_has_ended_is_compared_by_its_score_for_its_length():
    first = torch.tensor([[0]])
    short, long = (
        beam_search(ending, first, 5, width=8, end=2, length_penalty=penalty)[0].tolist()
        for penalty in (0.0, 2.0)
    )
    assert short == [3, 2, 2, 2, 2]
    assert long[:4] == [1, 1, 1, 1]


def test_a_search_stops_when_all_have_ended_and_does_not_depend_on_other_rows():
    calls = []

    def counted(tokens, state):
        calls.append(len(tokens))
        return ending(tokens, state)

    short = beam_search(counted, torch.tensor([[3]]), 50, width=1, end=2)
    assert short[0].tolist() == [2] * 50
    assert len(calls) == 1
    both = beam_search(ending, torch.tensor([[3], [0], [1]]), 50, width=2, end=2)
    alone = [beam_search(ending, torch.tensor([[it]]), 50, width=2, end=2)[0] for it in (3, 0, 1)]
    assert torch.equal(both, torch.stack(alone))


def test_greedy_stops_when_all_have_ended():
    calls = []

    def counted(tokens, state):
        calls.append(tokens)
        return ending(tokens, state)

    found = generate(counted, torch.tensor([[3], [3]]), torch.tensor([1, 1]), 50, end=2)
    assert found.tolist() == [[2] * 50] * 2
    assert len(calls) == 1
