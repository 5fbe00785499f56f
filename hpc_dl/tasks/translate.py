"""Translation: the sentence of another language that says the same, token by token.

A network is shown the tokens of the translation before each (teacher forcing), and learns the next
by cross-entropy with label smoothing (Szegedy et al., arXiv:1512.00567). Translations are written
greedily, or by beam search with length normalisation (Wu et al., arXiv:1609.08144), and compared
with a reference by BLEU (Papineni et al., ACL 2002), as sacrebleu counts it (Post,
arXiv:1804.08771).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
from pydantic import ConfigDict, Field
from torch import Tensor
from torch.nn import functional as F

from hpc_dl.jobspec.facts import BEGIN, END, DataFacts
from hpc_dl.tasks import decoding, detokenize
from hpc_dl.tasks.artifacts import Artifact
from hpc_dl.tasks.contract import Batch, Loss, Measured, MonitoredMetric, OfExamples, OfSums, Task
from hpc_dl.tasks.decoding import Step, Steps
from hpc_dl.tasks.metrics import perplexity
from hpc_dl.tasks.padding import is_real
from hpc_dl.tasks.pictures.attention import attention_maps
from hpc_dl.tasks.pictures.translations import page
from hpc_dl.tasks.state import State
from hpc_dl.tasks.tables import Array

if TYPE_CHECKING:
    from hpc_dl.jobspec.train import Train

SHOWN = 4
"""How many held-out sentences are translated for people."""
_IGNORED = -100
"""What cross-entropy takes for no token."""


@dataclass(frozen=True)
class Search:
    """Options of the search for a translation."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    beam: Annotated[int, Field(gt=0, le=1000)] = 5
    """Translations that are followed at once; 1 takes the likeliest token each time."""
    length_penalty: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Log-probabilities are divided by the length to this power."""
    longest: Steps | None = None
    """Most tokens of a translation; those of the longest in the training if unset."""


class Translation(Task):
    """Outputs (B, T, V) are logits of each token of the translation, from those before it."""

    monitored = MonitoredMetric("loss", "min")
    of_steps = True
    shown = ("translation",)
    params = Search()

    def __init__(
        self, facts: DataFacts, options: Train | None, examples: Mapping[str, Tensor]
    ) -> None:
        super().__init__(facts, options, examples)
        self.smoothing = options.label_smoothing if options else 0.0

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Return the cross-entropy in nats; the count is of real tokens, the end among them."""
        return self._cross_entropy(outputs, batch, self.smoothing)

    def _cross_entropy(self, outputs: Tensor, batch: Batch, smoothing: float) -> Loss:
        total = F.cross_entropy(
            outputs.flatten(0, 1),
            _wanted(batch).flatten(),
            ignore_index=_IGNORED,
            reduction="sum",
            label_smoothing=smoothing,
        )
        return Loss(total, batch["translation_length"].sum())

    def measure(self, outputs: Tensor, batch: Batch) -> Mapping[str, Measured]:
        """Return the loss, the share of tokens that are the likeliest, and the perplexity, of
        tokens after the right ones."""
        nats, right = self._cross_entropy(outputs, batch, 0.0), outputs.argmax(-1) == _wanted(batch)
        return {
            "loss": self.loss(outputs, batch),
            "accuracy": Loss(right.sum(), nats.count),
            "perplexity": OfSums(perplexity, (nats.total, nats.count)),
        }

    def measure_generated(self, step: Step, batch: Batch, *, test: bool) -> Mapping[str, Measured]:
        """Return the share of greedy translations that are the reference, and their BLEU if
        sacrebleu is installed; in a test the BLEU of the beam search as well."""
        references = self._references(batch)
        greedy = self._translated(step, batch, replace(self.params, beam=1))
        same = sum(map(str.__eq__, greedy, references))
        total = torch.tensor(float(same), device=batch["text"].device)
        measured: dict[str, Measured] = {"exact": Loss(total, len(references))}
        if find_spec("sacrebleu"):
            measured["bleu"] = OfExamples(_bleu, (greedy, references))
            if test:
                beam = self._translated(step, batch, self.params)
                measured["bleu_beam"] = OfExamples(_bleu, (beam, references))
        return measured

    def predict(self, outputs: Tensor) -> Mapping[str, Tensor]:
        """Return the probabilities of each token, (B, T, V)."""
        return {"probabilities": outputs.softmax(dim=-1)}

    def generate(self, step: Step, batch: Batch) -> Mapping[str, Tensor]:
        """Return the `tokens` of each translation, (B, longest); after its end all are the end."""
        return {"tokens": self._search(step, batch, self.params)}

    def decode(self, predicted: Mapping[str, Any]) -> Mapping[str, Array]:
        """Return the `translation` of each text, (B,) strings."""
        if "tokens" not in predicted:
            return {}
        return {"translation": np.array(self._texts(predicted["tokens"]))}

    def pictures(self, held_out: Iterable[tuple[Tensor, Batch]]) -> Mapping[str, Artifact]:
        return {}

    def samples(self, step: Step, sample: Batch) -> Mapping[str, Artifact]:
        """Return a page of sentences beside their translations, and pictures of the attention of
        a few, of a network that has it."""
        watched = _Watched(step)
        found = self._search(watched, sample, replace(self.params, beam=1))
        read, written = self.facts.inputs["text"], self.facts.targets["translation"]
        texts = [detokenize.text(read, row) for row in _rows(sample, "text")]
        references = self._references(sample)
        shown = zip(texts, references, self._texts(found), strict=True)
        drawn: dict[str, Artifact] = {"translations": page(list(shown))}
        if watched.weights:
            weights = torch.stack(watched.weights, dim=1).cpu()
            sources = [detokenize.pieces(read, row) for row in _rows(sample, "text")]
            steps = weights.shape[1]  # of one that has not ended, the end was not written
            pieces = [[*detokenize.pieces(written, row), END][:steps] for row in self._cut(found)]
            drawn["attention"] = attention_maps(
                weights[:SHOWN], sources[:SHOWN], pieces[:SHOWN], references[:SHOWN]
            )
        return drawn

    def _translated(self, step: Step, batch: Batch, search: Search) -> list[str]:
        return self._texts(self._search(step, batch, search))

    def _search(self, step: Step, batch: Batch, search: Search) -> Tensor:
        """Return the tokens of each translation, (B, longest)."""
        feature = self.facts.targets["translation"]
        begin, end = map(feature.vocabulary.index, (BEGIN, END))
        prompt = torch.full((len(batch["text"]), 1), begin, device=batch["text"].device)
        count = search.longest or feature.longest
        if search.beam == 1:
            ones = torch.ones_like(prompt[:, 0])
            return decoding.generate(step, prompt, ones, count, end=end)
        return decoding.beam_search(
            step, prompt, count, width=search.beam, end=end, length_penalty=search.length_penalty
        )

    def _references(self, batch: Batch) -> list[str]:
        """The true translations, as they were written; a batch has their bytes."""
        if "reference" in batch:
            return [bytes(row).decode() for row in _rows(batch, "reference")]
        return self._texts(batch["translation"])

    def _texts(self, tokens: Tensor) -> list[str]:
        feature = self.facts.targets["translation"]
        return [detokenize.text(feature, row) for row in self._cut(tokens)]

    def _cut(self, tokens: Tensor) -> list[list[int]]:
        """Return the tokens (B, T) of each translation before its end."""
        end = self.facts.targets["translation"].vocabulary.index(END)
        rows = tokens.tolist()
        return [row[: row.index(end)] if end in row else row for row in rows]


class _Watched:
    """A step that keeps what the network reads of the source at each token, (B, S)."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.weights: list[Tensor] = []

    def __call__(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        logits, state = self.step(tokens, state)
        if isinstance(state, dict) and "attention" in state:
            self.weights.append(state["attention"])
        return logits, state


def _rows(batch: Batch, name: str) -> list[list[int]]:
    """The real elements of each example's tensor of that name."""
    rows, lengths = batch[name].tolist(), batch[f"{name}_length"].tolist()
    return [row[:length] for row, length in zip(rows, lengths, strict=True)]


def _wanted(batch: Batch) -> Tensor:
    """The tokens of the translations, (B, T), marked where there is padding."""
    tokens = batch["translation"]
    return tokens.where(is_real(batch["translation_length"], tokens.shape[1]), _IGNORED)


def _bleu(translations: Sequence[str], references: Sequence[str]) -> float:
    """Return the BLEU of all sentences, 0 to 100."""
    import sacrebleu

    return float(sacrebleu.corpus_bleu(translations, [references]).score)
