"""Decoding: sequences of tokens from a network that predicts the next one.

All that is needed of the network is a `Step`. The same seed gives the same tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from hpc_dl.tasks.state import State, pick

Step = Callable[[Tensor, State], tuple[Tensor, State]]
"""Tokens (B,) int64 and the state before them, to logits of the next (B, V) and the new state."""
Choose = Callable[[Tensor], Tensor]
"""Logits (B, V) to tokens (B,)."""


def greedy(logits: Tensor) -> Tensor:
    """Return the likeliest token of each row."""
    return logits.argmax(dim=-1)


@dataclass(frozen=True)
class Sampling:
    """Options of sampling.

    Tokens are drawn by softmax(logits / temperature), of the `top_k` likeliest (Fan et al.,
    arXiv:1805.04833), or of the fewest that have the share `top_p` of the probability (nucleus
    sampling: Holtzman et al., arXiv:1904.09751).
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    length: PositiveInt = 200
    """Tokens that are written from a prompt on."""
    temperature: PositiveFloat = 0.8
    top_k: PositiveInt | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: NonNegativeInt = 0


class Sampler:
    """Chooses tokens at random."""

    def __init__(self, options: Sampling) -> None:
        self.options = options
        self._generator = torch.Generator().manual_seed(options.seed)

    def __call__(self, logits: Tensor) -> Tensor:
        scaled = logits.float() / self.options.temperature
        if self.options.top_k is not None:
            scaled = _keep_top_k(scaled, self.options.top_k)
        if self.options.top_p is not None:
            scaled = _keep_top_p(scaled, self.options.top_p)
        # The least of exponential variables with these rates: drawn on the CPU, the same anywhere.
        noise = torch.empty(scaled.shape).exponential_(generator=self._generator)
        return (scaled.softmax(dim=-1) / noise.to(scaled.device)).argmax(dim=-1)


def _keep_top_k(logits: Tensor, count: int) -> Tensor:
    least = logits.topk(min(count, logits.shape[-1])).values[:, -1:]
    return logits.masked_fill(logits < least, -torch.inf)


def _keep_top_p(logits: Tensor, share: float) -> Tensor:
    ordered, order = logits.sort(dim=-1, descending=True)
    chances = ordered.softmax(dim=-1)
    before = chances.cumsum(dim=-1) - chances
    return logits.scatter(1, order, ordered.masked_fill(before >= share, -torch.inf))


def generate(
    step: Step,
    prompt: Tensor,
    length: Tensor,
    count: int,
    *,
    choose: Choose = greedy,
    end: int | None = None,
) -> Tensor:
    """Continue prompts (B, T), of which the first `length` (B,) tokens are real; at least one.

    Returns the `count` tokens after each prompt, (B, count); after an `end` all are `end`.
    """
    tokens = torch.cat([prompt, prompt.new_zeros(len(prompt), count)], dim=1)
    ended, state = torch.zeros_like(length, dtype=torch.bool), None
    for place in range(1, tokens.shape[1]):
        logits, state = step(tokens[:, place - 1], state)
        given = place < length
        chosen = choose(logits)
        if end is not None:
            chosen = torch.where(ended, end, chosen)
            ended |= (chosen == end) & ~given
        tokens[:, place] = torch.where(given, tokens[:, place], chosen)
    return tokens.gather(1, length[:, None] + torch.arange(count, device=length.device))


def beam_search(
    step: Step,
    prompt: Tensor,
    count: int,
    *,
    width: int,
    end: int | None = None,
    length_penalty: float = 0.0,
) -> Tensor:
    """Return the likeliest continuation that a beam of `width` finds of each prompt (B, T), all of
    whose tokens are real: (B, count); after an `end` all are `end`.

    Log-probabilities are divided by (tokens up to the `end`) ** length_penalty at the end.
    """
    rows, state = len(prompt), None
    for place in range(prompt.shape[1]):
        logits, state = step(prompt[:, place], state)
    state = pick(state, torch.arange(rows, device=prompt.device).repeat_interleave(width))
    scores = torch.full((rows, width), -torch.inf, device=prompt.device)
    scores[:, 0] = 0.0  # at first all beams are the same
    logits = logits.repeat_interleave(width, dim=0)
    found = prompt.new_zeros(rows, width, 0)
    while True:
        scores, origin, chosen = _best(logits, scores, found, end)
        found = torch.cat([found.gather(1, origin[..., None].expand_as(found)), chosen], dim=2)
        if found.shape[2] == count:
            break
        first = torch.arange(rows, device=prompt.device)[:, None] * width
        logits, state = step(chosen.flatten(), pick(state, (first + origin).flatten()))
    lengths = count if end is None else ((found != end).sum(2) + 1).clamp(max=count)
    best = (scores / lengths**length_penalty).argmax(dim=1)
    return found[torch.arange(rows, device=prompt.device), best]


def _best(
    logits: Tensor, scores: Tensor, found: Tensor, end: int | None
) -> tuple[Tensor, Tensor, Tensor]:
    """The best beams one token on: their scores and which beam each continues, (B, width), and
    the new tokens (B, width, 1)."""
    rows, width = scores.shape
    chances = logits.float().log_softmax(dim=-1).view(rows, width, -1)
    tokens = chances.shape[2]
    if end is not None and found.shape[2]:
        only_end = torch.full((tokens,), -torch.inf, device=logits.device)
        only_end[end] = 0.0
        chances = torch.where(found[..., -1:] == end, only_end, chances)
    best, place = (scores[..., None] + chances).flatten(1).topk(width)
    return best, place // tokens, (place % tokens)[..., None]
