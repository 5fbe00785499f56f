"""Tagging: a tag for each word of a sentence, such as those that mark named entities."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from hpc_dl.jobspec import bio
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.tasks import chain
from hpc_dl.tasks.artifacts import Artifact
from hpc_dl.tasks.contract import Batch, Loss, Measured, MonitoredMetric, OfSums, Task
from hpc_dl.tasks.entity_counts import EntityCounts
from hpc_dl.tasks.padding import is_real
from hpc_dl.tasks.pictures import tagged
from hpc_dl.tasks.tables import Array

if TYPE_CHECKING:
    from hpc_dl.jobspec.train import Train

CRF_AXES = 4
"""Of outputs that are log-potentials of pairs of tags; see `hpc_dl.tasks.chain`."""


class Tagging(Task):
    """Outputs are logits of each word's tag, (B, T, tags), or, of a conditional random field, the
    log-potentials of each word's tag after that before, (B, T, tags, tags)."""

    monitored = MonitoredMetric("f1", "max")
    of_steps = True

    def __init__(
        self, facts: DataFacts, options: Train | None, examples: Mapping[str, Tensor]
    ) -> None:
        super().__init__(facts, options, examples)
        self.tags = facts.targets["tags"].vocabulary
        self.counts = EntityCounts(self.tags) if bio.mark_entities(self.tags) else None
        if self.counts is None:
            self.monitored = MonitoredMetric("accuracy", "max")

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Return the cross-entropy, or of a conditional random field the negative log-likelihood of
        the sentences, in nats, or the loss that the job spec names; the count is of real words."""
        tags, real = batch["tags"], _real(batch)
        if outputs.ndim == CRF_AXES:
            total = chain.negative_log_likelihood(outputs.float(), tags, real).sum()
        else:
            criterion = self.criterion or partial(F.cross_entropy, reduction="none")
            losses = criterion(outputs.flatten(0, 1), tags.flatten())
            total = losses.where(real.flatten(), 0).sum()
        return Loss(total, real.sum())

    def measure(self, outputs: Tensor, batch: Batch) -> Mapping[str, Measured]:
        """Return the loss and the accuracy by word; of entities the precision, recall and F1 as
        CoNLL counts them, and the F1 of a dictionary of the training entities, all in [0, 1]."""
        true, real, predicted = batch["tags"], _real(batch), _decide(outputs)
        hits = ((predicted == true) & real).sum()
        measured: dict[str, Measured] = {
            "loss": self.loss(outputs, batch),
            "accuracy": Loss(hits, real.sum()),
        }
        if self.counts is not None:
            counts = self.counts(predicted, true, real)
            measured |= {name: OfSums(score, counts) for name, score in _SCORES.items()}
            if "dictionary" in batch:
                of_dictionary = self.counts(batch["dictionary"], true, real)
                measured["f1_dictionary"] = OfSums(_f1, of_dictionary)
        return measured

    def predict(self, outputs: Tensor) -> Mapping[str, Tensor]:
        """Return the tags, (B, T) int64."""
        return {"tag": _decide(outputs)}

    def decode(self, predicted: Mapping[str, Any]) -> Mapping[str, Array]:
        """Return strings, (B,): the `tags` of each sentence, with blanks between them, and its
        `entities` as JSON, with their first word, the word after the last, and the type."""
        if "tag" not in predicted or "length" not in predicted:
            return {}
        pairs = zip(predicted["tag"].tolist(), predicted["length"].tolist(), strict=True)
        found = [[self.tags[tag] for tag in row[:end]] for row, end in pairs]
        decoded = {"tags": np.array([" ".join(row) for row in found])}
        if self.counts is not None:
            every = [[asdict(it) for it in bio.entities(row)] for row in found]
            decoded["entities"] = np.array([json.dumps(it) for it in every])
        return decoded

    def pictures(self, held_out: Iterable[tuple[Tensor, Batch]]) -> Mapping[str, Artifact]:
        """Return sentences with their entities, right and wrong, as HTML, and precision, recall and
        F1 of each type as text; of other tags their confusion matrix."""
        rows = []
        for outputs, batch in held_out:
            columns = (batch["text"], batch["tags"], _decide(outputs))
            parts = zip(*(it.cpu() for it in (*columns, batch["text_length"])), strict=True)
            rows += [tuple(it[:end] for it in of) for *of, end in parts]
        if self.counts is None:
            return tagged.of_words(rows, self.tags)
        return tagged.of_entities(rows, self.tags)


def _real(batch: Batch) -> Tensor:
    return is_real(batch["text_length"], batch["text"].shape[1])


def _decide(outputs: Tensor) -> Tensor:
    """Return the likeliest tag of each word, or the likeliest tags of each sentence, (B, T)."""
    return chain.likeliest(outputs.float()) if outputs.ndim == CRF_AXES else outputs.argmax(dim=-1)


def _f1(right: Tensor, predicted: Tensor, true: Tensor) -> Tensor:
    return _share(right, (predicted + true) / 2)


def _precision(right: Tensor, predicted: Tensor, true: Tensor) -> Tensor:
    return _share(right, predicted)


def _recall(right: Tensor, predicted: Tensor, true: Tensor) -> Tensor:
    return _share(right, true)


def _share(right: Tensor, whole: Tensor) -> Tensor:
    """Return the share of entities, in [0, 1], that is right; 0 where none is."""
    return right / whole.clamp(min=0.5)


_SCORES = {"f1": _f1, "precision": _precision, "recall": _recall}
"""Of entities over all examples, the micro average, from how many are right, predicted and true."""
