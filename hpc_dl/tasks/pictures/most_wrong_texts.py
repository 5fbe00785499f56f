"""The texts that a classifier is most wrong about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from hpc_dl.jobspec.facts import Feature
from hpc_dl.tasks import detokenize
from hpc_dl.tasks.artifacts import Text
from hpc_dl.tasks.contract import Batch

COUNT = 32


class MostWrongTexts:
    """Collects, over batches, the texts whose true class is predicted with least probability, among
    those of which another is likelier."""

    def __init__(self, feature: Feature) -> None:
        self.feature = feature
        self.kept: list[tuple[float, int, int, Tensor]] = []
        """Probability of the true class, that class, the predicted one, and the tokens."""

    def update(self, batch: Batch, probabilities: Tensor) -> None:
        """Add a batch, with the probabilities of the classes, (B, classes)."""
        label, predicted = batch["label"], probabilities.argmax(dim=1)
        right = probabilities.gather(1, label[:, None])[:, 0]
        wrong = (predicted != label).nonzero()[:, 0]
        rows = wrong[right[wrong].argsort(stable=True)[:COUNT]].tolist()
        self.kept += [
            (
                float(right[row]),
                int(label[row]),
                int(predicted[row]),
                batch["text"][row, : int(batch["text_length"][row])].cpu(),
            )
            for row in rows
        ]
        self.kept = sorted(self.kept, key=lambda it: it[0])[:COUNT]

    def artifacts(self, classes: Sequence[str]) -> Mapping[str, Text]:
        """Return them with the names of their classes, the most wrong one first; {} if all are
        right."""
        shown = [
            f"{classes[predicted]}, not {classes[label]} ({probability:.1%})\n"
            f"    {detokenize.text(self.feature, tokens.tolist())}"
            for probability, label, predicted, tokens in self.kept
        ]
        caption = (
            "Texts it is most wrong about: the predicted class, the true one and its probability"
        )
        return {"most_wrong": Text("\n\n".join(shown), caption)} if shown else {}
