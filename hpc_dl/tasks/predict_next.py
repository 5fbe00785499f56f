"""Next-element prediction: at each place of a sequence, the token that follows.

The sum over a sequence of log p(next | all before) is its log-likelihood, so the networks are
language models (Mikolov et al., Interspeech 2010).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hpc_dl.jobspec.facts import UNKNOWN, Feature
from hpc_dl.tasks import character_counts, decoding, detokenize
from hpc_dl.tasks.artifacts import Artifact, Picture, Text
from hpc_dl.tasks.contract import Batch, Loss, Measured, MonitoredMetric, OfSums, Task
from hpc_dl.tasks.decoding import Sampler, Sampling, Step
from hpc_dl.tasks.metrics import perplexity
from hpc_dl.tasks.padding import is_real
from hpc_dl.tasks.tables import Array

SHOWN, PROMPT = 4, 32
"""How many held-out examples are continued in the sample, from so many tokens on."""
_IGNORED = -100
"""What cross-entropy takes for no token."""


class NextElement(Task):
    """Outputs (B, T, V) are logits of the token after each of T."""

    monitored = MonitoredMetric("loss", "min")
    of_steps = causal = True
    params = Sampling()
    """How prompts are continued."""

    @property
    def feature(self) -> Feature:
        return self.facts.targets["next"]

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Return the cross-entropy in nats, or the loss that the job spec names; the count is of
        real tokens."""
        if self.criterion is None:
            return self._nats(outputs, batch)
        losses = self.criterion(outputs.flatten(0, 1), batch["next"].flatten())
        real = is_real(batch["text_length"], batch["next"].shape[1]).flatten()
        return Loss(losses.where(real, 0).sum(), batch["text_length"].sum())

    def _nats(self, outputs: Tensor, batch: Batch) -> Loss:
        wanted = self._wanted(batch).flatten()
        total = F.cross_entropy(
            outputs.flatten(0, 1), wanted, ignore_index=_IGNORED, reduction="sum"
        )
        return Loss(total, batch["text_length"].sum())

    def measure(self, outputs: Tensor, batch: Batch) -> Mapping[str, Measured]:
        """Return the loss, the share of tokens that are the likeliest, and the cross-entropy as
        perplexity and in nats and bits a character, whatever the tokens are."""
        nats, wanted = self._nats(outputs, batch), self._wanted(batch)
        measured: dict[str, Measured] = {
            "loss": nats if self.criterion is None else self.loss(outputs, batch),
            "accuracy": Loss((outputs.argmax(dim=-1) == wanted).sum(), nats.count),
            "perplexity": OfSums(perplexity, (nats.total, nats.count)),
        }
        if self.feature.tokens != "words":  # which do not give back the blanks of a text
            count = self._characters(wanted)
            measured["nats_per_character"] = Loss(nats.total, count)
            measured["bits_per_character"] = Loss(nats.total / math.log(2), count)
        return measured

    def _characters(self, wanted: Tensor) -> Tensor:
        """Return how many characters begin in the real ones of `wanted` tokens (B, T)."""
        of_token = self._of_token.to(wanted.device)
        return of_token[wanted.clamp(min=0)].where(wanted != _IGNORED, 0).sum()

    @cached_property
    def _of_token(self) -> Tensor:
        """The characters of each token of the vocabulary, (V,)."""
        return torch.tensor(character_counts.of_tokens(self.feature))

    def _wanted(self, batch: Batch) -> Tensor:
        """The next token at each place, (B, T), marked where it is padding."""
        real = is_real(batch["text_length"], batch["next"].shape[1])
        return batch["next"].where(real, _IGNORED)

    def predict(self, outputs: Tensor) -> Mapping[str, Tensor]:
        """Return the probabilities of the next token at each place, (B, T, V)."""
        return {"probabilities": outputs.softmax(dim=-1)}

    def pictures(self, held_out: Iterable[tuple[Tensor, Batch]]) -> Mapping[str, Picture]:
        return {}

    def generate(self, step: Step, batch: Batch) -> Mapping[str, Tensor]:
        """Return the sampled `tokens` after each prompt, (B, length)."""
        choose = _Known(Sampler(self.params), self.feature.vocabulary)
        given = (batch["text"], batch["text_length"], self.params.length)
        return {"tokens": decoding.generate(step, *given, choose=choose)}

    def decode(self, predicted: Mapping[str, Any]) -> Mapping[str, Array]:
        """Return the `continuation` of each prompt, (B,) strings."""
        if "tokens" not in predicted:
            return {}
        gap = " " if self.feature.tokens == "words" else ""
        rows = predicted["tokens"].tolist()
        return {"continuation": np.array([gap + self._text(row) for row in rows])}

    def samples(self, step: Step, sample: Batch) -> Mapping[str, Artifact]:
        """Return a text: the beginnings of some examples, and what the network writes on."""
        text = sample["text"][:SHOWN, :PROMPT]
        length = sample["text_length"][:SHOWN].clamp(max=PROMPT)
        written = self.generate(step, {"text": text, "text_length": length})["tokens"]
        pairs = zip(text.tolist(), length.tolist(), written.tolist(), strict=True)
        shown = [f"{self._text(row[:end])}»{self._text(more)}" for row, end, more in pairs]
        caption = "Prompts, and after » what the network writes"
        return {"continuations": Text("\n\n---\n\n".join(shown), caption)}

    def _text(self, tokens: Sequence[int]) -> str:
        return detokenize.text(self.feature, tokens)


class _Known:
    """Chooses among the tokens that stand for something."""

    def __init__(self, sampler: Sampler, vocabulary: Sequence[str]) -> None:
        self.sampler, self.first = sampler, 1 if vocabulary[0] == UNKNOWN else 0

    def __call__(self, logits: Tensor) -> Tensor:
        return self.sampler(logits[:, self.first :]) + self.first
