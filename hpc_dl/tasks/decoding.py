"""Decoding: sequences of tokens from a network that predicts the next one.

All that is needed of the network is a `Step`. The same seed gives the same tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import ConfigDict, Field, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn import functional as F

from hpc_dl.tasks.state import State, pick

Step = Callable[[Tensor, State], tuple[Tensor, State]]
"""Tokens (B,) int64 and the state before them, to logits of the next (B, V) and the new state."""
Choose = Callable[[Tensor], Tensor]
"""Logits (B, V) to tokens (B,)."""
Steps = Annotated[int, Field(gt=0, le=10**6)]
"""How many elements are written; what is far more than can be waited for is a slip."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""Of a generator on the CPU, which has no more bits: of a larger one the rest would be ignored."""


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

    length: Steps = 200
    """Tokens that are written from a prompt on."""
    temperature: PositiveFloat = 0.8
    top_k: PositiveInt | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Seed = 0


class Sampler:
    """Chooses tokens at random."""

    def __init__(self, options: Sampling) -> None:
        self.options = options
        self._generator = torch.Generator().manual_seed(options.seed)

    def __call__(self, logits: Tensor) -> Tensor:
        below = logits.float() - logits.float().amax(dim=-1, keepdim=True)
        scaled = below / max(self.options.temperature, torch.finfo(torch.float32).tiny)
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
    fill = prompt.new_full((len(prompt), count), 0 if end is None else end)
    tokens = torch.cat([prompt, fill], dim=1)
    ended, state = torch.zeros_like(length, dtype=torch.bool), None
    for place in range(1, tokens.shape[1]):
        logits, state = step(tokens[:, place - 1], state)
        given = place < length
        chosen = choose(logits)
        if end is not None:
            chosen = torch.where(ended, end, chosen)
            ended |= (chosen == end) & ~given
        tokens[:, place] = torch.where(given, tokens[:, place], chosen)
        if end is not None and ended.all():
            break
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

    Log-probabilities are divided by (tokens up to the `end`) ** length_penalty. A search is over
    once `width` continuations have ended, however long those of other rows go on.
    """
    rows, state = len(prompt), None
    for place in range(prompt.shape[1]):
        logits, state = step(prompt[:, place], state)
    first = torch.arange(rows, device=prompt.device)[:, None] * width
    state = pick(state, (first // width).expand(rows, width).flatten())
    logits = logits.repeat_interleave(width, dim=0)
    beams = _Beams.start(prompt, width)
    ended = _Ended(beams, count, end, length_penalty)
    while True:
        beams, origin = beams.extended(logits, 2 * width)
        beams, kept = ended.take(beams, width)
        origin = origin.gather(1, kept)
        if beams.length == count or ended.are_over():
            return ended.best(beams)
        chosen = beams.found[..., -1].flatten()
        logits, state = step(chosen, pick(state, (first + origin).flatten()))


@dataclass(frozen=True)
class _Beams:
    """Continuations of each prompt (B, W, T) that have not ended, and their log-probabilities."""

    found: Tensor
    scores: Tensor

    @classmethod
    def start(cls, prompt: Tensor, width: int) -> _Beams:
        """All beams are the same, so that one is enough."""
        scores = torch.full((len(prompt), width), -torch.inf, device=prompt.device)
        scores[:, 0] = 0.0
        return cls(prompt.new_zeros(len(prompt), width, 0), scores)

    @property
    def length(self) -> int:
        return self.found.shape[2]

    def extended(self, logits: Tensor, most: int) -> tuple[_Beams, Tensor]:
        """Return the `most` likeliest continuations by one more token, by logits (B * W, V), and
        which beam each continues, (B, most)."""
        rows, width = self.scores.shape
        chances = logits.float().log_softmax(dim=-1).view(rows, width, -1)
        tokens = chances.shape[2]
        every = (self.scores[..., None] + chances).flatten(1)
        scores, place = every.topk(min(most, every.shape[1]))
        origin = place // tokens
        before = self.found.gather(1, origin[..., None].expand(-1, -1, self.length))
        found = torch.cat([before, (place % tokens)[..., None]], dim=2)
        return _Beams(found, scores), origin

    def chosen(self, which: Tensor) -> _Beams:
        """Return the beams at positions (B, W)."""
        found = self.found.gather(1, which[..., None].expand(-1, -1, self.length))
        return _Beams(found, self.scores.gather(1, which))


class _Ended:
    """The best continuations of each prompt that have ended, with normalised scores."""

    def __init__(self, beams: _Beams, count: int, end: int | None, penalty: float) -> None:
        rows, width = beams.scores.shape
        self.count, self.end, self.penalty = count, end, penalty
        self.found = beams.found.new_full((rows, width, count), 0 if end is None else end)
        self.scores = torch.full_like(beams.scores, -torch.inf)

    def take(self, beams: _Beams, width: int) -> tuple[_Beams, Tensor]:
        """Take those of the `width` best beams that end; return the best of the others, and their
        positions."""
        scores = beams.scores
        if self.end is not None:
            ends = beams.found[..., -1] == self.end
            best = ends & (torch.arange(ends.shape[1], device=ends.device) < width)
            self._add(beams, best & ~self._are_full()[:, None])
            scores = scores.masked_fill(ends, -torch.inf)
        kept = scores.topk(width).indices
        return _Beams(beams.found, scores).chosen(kept), kept

    def _add(self, beams: _Beams, which: Tensor) -> None:
        """Add the beams that a mask (B, W) marks, if they are among the best."""
        width, rest = self.scores.shape[1], self.count - beams.length
        scores = (beams.scores / beams.length**self.penalty).masked_fill(~which, -torch.inf)
        found = F.pad(beams.found, (0, rest), value=0 if self.end is None else self.end)
        self.scores, place = torch.cat([self.scores, scores], dim=1).topk(width)
        every = torch.cat([self.found, found], dim=1)
        self.found = every.gather(1, place[..., None].expand(-1, -1, self.count))

    def _are_full(self) -> Tensor:
        return (self.scores > -torch.inf).all(dim=1)

    def are_over(self) -> bool:
        return bool(self._are_full().all())

    def best(self, beams: _Beams) -> Tensor:
        """Return the best continuation of each prompt; one of `beams` where none has ended as
        well, (B, count)."""
        open_ = ~self._are_full()[:, None].expand_as(beams.scores)
        self._add(beams, open_)
        return self.found[:, 0]
