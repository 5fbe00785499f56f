"""Classification: cross-entropy, accuracy, macro F1 and AUROC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.metrics import TOP
from hpc_dl.tasks.artifacts import Artifact
from hpc_dl.tasks.contract import Batch, Loss, Measured, MonitoredMetric, OfExamples, Task
from hpc_dl.tasks.metrics import macro_auroc, macro_f1
from hpc_dl.tasks.pictures import charts
from hpc_dl.tasks.pictures.most_wrong import MostWrong, MostWrongClips
from hpc_dl.tasks.pictures.most_wrong_recordings import MostWrongRecordings
from hpc_dl.tasks.pictures.most_wrong_texts import MostWrongTexts
from hpc_dl.tasks.tables import Array, ClassTables

if TYPE_CHECKING:
    from hpc_dl.jobspec.train import Train


class Classification(Task):
    """Classification: outputs are logits, (B, classes)."""

    monitored = MonitoredMetric("accuracy", "max")

    def __init__(
        self, facts: DataFacts, options: Train | None, examples: Mapping[str, Tensor]
    ) -> None:
        super().__init__(facts, options, examples)
        self.tables = ClassTables(facts)
        self.smoothing = options.label_smoothing if options else 0.0
        self.weights = _class_weights(options, examples, facts.outputs) if options else None

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Return the cross-entropy in nats, with label smoothing (Szegedy et al.,
        arXiv:1512.00567), or the loss that the job spec names.

        With class weights the mean is weighted. After mixup an example has two labels, weighted by
        λ and 1 - λ.
        """
        label, weights = batch["label"], self._weights(outputs.device)
        total = self._sum(outputs, label, weights, batch.get("lam"))
        count = self._count(label, weights, batch.get("lam"))
        if "other_label" in batch:
            other, rest = batch["other_label"], 1 - batch["lam"]
            total = total + self._sum(outputs, other, weights, rest)
            count = count + self._count(other, weights, rest)
        return Loss(total, count)

    def _weights(self, device: torch.device) -> Tensor | None:
        if self.weights is not None:
            self.weights = self.weights.to(device, non_blocking=True)
        return self.weights

    def _sum(
        self, logits: Tensor, label: Tensor, weights: Tensor | None, lam: Tensor | None
    ) -> Tensor:
        if self.criterion is not None:
            losses = self.criterion(logits, label)
            losses = losses if weights is None else losses * weights[label]
            return (losses if lam is None else losses * lam).sum()
        reduction = "sum" if lam is None else "none"
        nats = F.cross_entropy(
            logits, label, weights, reduction=reduction, label_smoothing=self.smoothing
        )
        return nats if lam is None else (nats * lam).sum()

    def _count(self, label: Tensor, weights: Tensor | None, lam: Tensor | None) -> Tensor | int:
        if weights is None:
            return len(label) if lam is None else lam.sum()
        return weights[label].sum() if lam is None else (weights[label] * lam).sum()

    def measure(self, outputs: Tensor, batch: Batch) -> Mapping[str, Measured]:
        """Return the loss, accuracy, top-5 accuracy, and the macro averages of the F1 score and of
        the one-vs-rest AUROC; all but the loss in [0, 1]."""
        label, predicted = batch["label"], outputs.argmax(dim=1)
        measured: dict[str, Measured] = {
            "loss": self.loss(outputs, batch),
            "accuracy": Loss((predicted == label).sum(), len(label)),
            "f1_macro": OfExamples(macro_f1, (predicted, label)),
            "auroc_macro": OfExamples(macro_auroc, (outputs, label)),
        }
        if self.facts.outputs > TOP:
            top = outputs.topk(TOP, sorted=False).indices  # of which the label is one at most
            measured["top5"] = Loss((top == label[:, None]).sum(), len(label))
        return measured

    def predict(self, outputs: Tensor) -> Mapping[str, Tensor]:
        probabilities = outputs.softmax(dim=1)
        return {"probabilities": probabilities, "label": probabilities.argmax(dim=1)}

    def decode(self, predicted: Mapping[str, Any]) -> Mapping[str, Array]:
        """Return the names of the classes, (N,) strings, if there is a `label`, (N,) integers."""
        label, names = predicted.get("label"), self.facts.classes
        if not isinstance(label, Tensor) or "class" in predicted:
            return {}
        if label.ndim != 1 or label.is_floating_point():
            return {}
        numbers = label.cpu().numpy()
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(names):
            return {}
        return {"class": np.array(names)[numbers]}

    def pictures(self, held_out: Iterable[tuple[Tensor, Batch]]) -> Mapping[str, Artifact]:
        """Return the confusion matrix, the ROC curves, and the images, clips, recordings or texts
        that are most wrong."""
        kept, worst, names = [], self._most_wrong(), self.facts.classes
        for outputs, batch in held_out:
            probabilities, label = outputs.softmax(dim=1), batch["label"]
            shown = probabilities[:, : charts.MOST_CURVES]
            kept.append((probabilities.argmax(dim=1).cpu(), shown.cpu(), label.cpu()))
            if worst:
                worst.update(batch, probabilities)
        predicted, shown, labels = (torch.cat(column) for column in zip(*kept, strict=True))
        pictures: dict[str, Artifact] = {
            "confusion": charts.confusion(predicted, labels, names),
            "roc": charts.roc_curves(shown, labels, names),
        }
        return {**pictures, **worst.artifacts(names)} if worst else pictures

    def _most_wrong(self) -> MostWrong | MostWrongRecordings | MostWrongTexts | None:
        """Return what collects the examples that are most wrong; None where none is drawn."""
        if self.facts.modality == "audio":
            return MostWrongRecordings(self.facts.inputs["audio"].rate)
        if self.facts.modality == "video":
            return MostWrongClips()
        if self.facts.modality == "text":
            return MostWrongTexts(self.facts.inputs["text"])
        return MostWrong() if self.facts.modality == "image" else None


def _class_weights(options: Train, examples: Mapping[str, Tensor], classes: int) -> Tensor | None:
    """Return how much an example of each class counts, (classes,); None where all count alike.

    `balanced` gives each class the same weight in sum, and the examples 1 on average.
    """
    if options.class_weights != "balanced":
        return None if options.class_weights is None else torch.tensor(options.class_weights)
    label = examples["label"]
    counts = torch.bincount(label, minlength=classes).clamp(min=1)
    return torch.tensor((len(label) / (classes * counts)).tolist())
